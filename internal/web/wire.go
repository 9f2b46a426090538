package web

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// wire is where a stream's bytes go. What is written is on its way to the client when write returns.
type wire interface {
	write(p []byte) error
}

// answer writes through net/http.
type answer struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (a answer) write(p []byte) error {
	_ = a.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one; those of servers do
	if _, err := a.w.Write(p); err != nil {
		return err
	}
	return a.control.Flush()
}

// connection is an HTTP/1 connection that was taken from net/http, with the answer that it would have begun. What it
// keeps for the next request of a connection, and the goroutine that stands deep in handlers, are most of the memory of
// an idle stream, and a stream needs neither. The connection is closed after it.
type connection struct {
	net.Conn
	chunked bool
	head    []byte // what goes before the first bytes
	broken  bool   // a write has failed: nobody knows where in the framing
}

// takeOver takes the connection of a request. It gives nil when there is none to be had, as with HTTP/2, or when there may
// be more on it than the request.
func takeOver(w http.ResponseWriter, r *http.Request) *connection {
	if r.ProtoMajor != 1 || r.Method != http.MethodGet || r.ContentLength != 0 {
		return nil
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	c := &connection{Conn: conn, chunked: r.ProtoAtLeast(1, 1)}
	h := w.Header()
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Connection", "close")
	var head bytes.Buffer
	head.WriteString("HTTP/1.0 200 OK\r\n")
	if c.chunked {
		head.Reset()
		head.WriteString("HTTP/1.1 200 OK\r\n")
		h.Set("Transfer-Encoding", "chunked")
	}
	_ = h.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	c.head = head.Bytes()
	return c
}

func (c *connection) write(p []byte) error {
	parts := net.Buffers{p}
	if c.chunked {
		size := append(strconv.AppendInt(make([]byte, 0, 10), int64(len(p)), 16), "\r\n"...)
		parts = net.Buffers{size, p, []byte("\r\n")}
	}
	return c.send(parts)
}

// send writes all parts at once.
func (c *connection) send(parts net.Buffers) error {
	if c.head != nil {
		parts, c.head = append(net.Buffers{c.head}, parts...), nil
	}
	err := c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = parts.WriteTo(c.Conn)
	}
	c.broken = err != nil
	return err
}

// end ends the answer as a whole one, unless what was written is none, and closes the connection.
func (c *connection) end() {
	if c.chunked && !c.broken {
		_ = c.send(net.Buffers{[]byte("0\r\n\r\n")}) // a client that has left does not mind
	}
	_ = c.Close()
}

// watch calls left once the client has left. Of one that says something more, which no client of a stream does, it is
// known no sooner than something is written.
func (c *connection) watch(left func()) {
	if _, err := io.ReadFull(c.Conn, make([]byte, 1)); err != nil {
		left()
	}
}

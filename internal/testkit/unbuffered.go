package testkit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// SlowReader opens a stream on a connection without a buffer: what it does not read, the server has not written. It reads
// that many events, then nothing until the server has closed the connection, and then what was already on its way. It gives
// the ids of the events that it has had whole.
func SlowReader(tb testing.TB, h http.Handler, r *http.Request, most int) (ids []string) {
	tb.Helper()
	l := &oneConn{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	s := &http.Server{Handler: h, ReadHeaderTimeout: patience}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	client, server := net.Pipe()
	defer func() {
		_ = client.Close()
		_ = s.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("serve a slow reader: %v", err)
		}
	}()
	gone := make(chan struct{})
	l.conns <- &toldConn{Conn: server, told: sync.OnceFunc(func() { close(gone) })}
	_ = client.SetDeadline(time.Now().Add(2 * patience))
	if err := r.Write(client); err != nil {
		tb.Fatalf("ask for a stream: %v", err)
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(client, 16), r)
	if err != nil || response.StatusCode != http.StatusOK {
		tb.Fatalf("the stream answers %v %v", response, err)
	}
	defer func() { _ = response.Body.Close() }()
	if ids = ReadIDs(response.Body, most); len(ids) != most {
		tb.Fatalf("the stream ended after %d events", len(ids))
	}
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	select {
	case <-gone:
	case <-ctx.Done():
		tb.Fatal("who reads nothing is not cut off")
	}
	return append(ids, ReadIDs(response.Body, -1)...)
}

// ReadIDs reads a stream of events one byte at a time, so that nothing is read ahead: so many events, or with -1 all until
// it ends. It gives the ids of those that came whole.
func ReadIDs(stream io.Reader, most int) (ids []string) {
	var line []byte
	var id string
	data := false
	for b := make([]byte, 1); most != len(ids); {
		if _, err := io.ReadFull(stream, b); err != nil {
			return ids
		}
		if b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		switch text := string(line); {
		case text == "" && data:
			ids, data = append(ids, id), false
		case len(text) > 4 && text[:4] == "id: ":
			id = text[4:]
		case len(text) > 6 && text[:6] == "data: ":
			data = true
		}
		line = line[:0]
	}
	return ids
}

// oneConn is a listener of connections that are made elsewhere.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error { l.once.Do(func() { close(l.done) }); return nil }

func (l *oneConn) Addr() net.Addr { return &net.IPAddr{} }

// toldConn tells when it is closed.
type toldConn struct {
	net.Conn
	told func()
}

func (c *toldConn) Close() error { defer c.told(); return c.Conn.Close() }

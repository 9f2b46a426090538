package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// conn is one keep-alive HTTP/1.1 connection that costs as little as it can, because the load shares the
// machine with the server: a request is written from parts that are ready, only the answer is parsed.
type conn struct {
	net.Conn
	host string
	key  string
	in   *bufio.Reader
	out  []byte
}

func dial(ctx context.Context, s *server) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.host)
	if err != nil {
		return nil, fmt.Errorf("connect to the server under test: %w", err)
	}
	return &conn{Conn: c, host: s.host, key: s.key, in: bufio.NewReaderSize(c, 32<<10)}, nil
}

// call sends a request and reads the answer, whose body is decoded into out unless that is nil.
func (c *conn) call(method, path string, body []byte, out any) error {
	b := c.out[:0]
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.host...)
	b = append(b, "\r\nAuthorization: Bearer "...)
	b = append(b, c.key...)
	if body != nil {
		b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
	}
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.out = b
	if _, err := c.Write(b); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if out != nil {
		if err := json.NewDecoder(response.Body).Decode(out); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

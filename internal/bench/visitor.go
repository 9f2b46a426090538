package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// visitor is a session of the demo's site.
type visitor struct{ token, conversation string }

// openVisitors opens sessions, which writes nothing.
func openVisitors(ctx context.Context, s *server, n int) ([]visitor, error) {
	all := make([]visitor, n)
	err := spread(ctx, s, n, func(c *conn, i int) error {
		var a struct {
			Token        string `json:"token"`
			Conversation string `json:"conversation_id"`
		}
		if err := c.call(http.MethodPost, "/chat/v1/sessions", []byte(`{"site_key":"demo-site"}`), &a); err != nil {
			return err
		}
		all[i] = visitor{a.Token, a.Conversation}
		return nil
	})
	return all, err
}

func eachVisitor(ctx context.Context, s *server, all []visitor, do func(c *conn, v visitor) error) error {
	return spread(ctx, s, len(all), func(c *conn, i int) error { return do(c, all[i]) })
}

// spread does n things over some connections.
func spread(ctx context.Context, s *server, n int, do func(c *conn, i int) error) error {
	const callers = 32
	group, ctx := errgroup.WithContext(ctx)
	for caller := range callers {
		group.Go(func() error {
			c, err := dial(ctx, s)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			for i := caller; i < n && ctx.Err() == nil; i += callers {
				if err := do(c, i); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// write sends a visitor's message.
func (c *conn) write(v visitor, text string) error {
	c.key = v.token
	return c.call(http.MethodPost, "/chat/v1/messages", fmt.Appendf(nil, `{"id":%q,"text":%q}`, events.NewID(), text), nil)
}

// stream is an open stream, with as little memory as it can have: there are many of them on the machine under test.
type stream struct {
	net.Conn
	body  io.ReadCloser
	lines *bufio.Reader // nil until something is read
}

// follow opens the streams of all visitors, behind a position.
func follow(ctx context.Context, s *server, all []visitor, after string) ([]*stream, error) {
	streams := make([]*stream, len(all))
	err := spread(ctx, s, len(all), func(_ *conn, i int) (err error) {
		streams[i], err = all[i].stream(ctx, s, after)
		return err
	})
	return streams, err
}

func closeAll(streams []*stream) {
	for _, st := range streams {
		if st != nil {
			_ = st.Close()
		}
	}
}

func (v visitor) stream(ctx context.Context, s *server, after string) (*stream, error) {
	return openStream(ctx, s, v.token, "/chat/v1/stream", after)
}

func openStream(ctx context.Context, s *server, key, path, after string) (*stream, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.host)
	if err != nil {
		return nil, fmt.Errorf("connect to the server under test: %w", err)
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + s.host + "\r\nAuthorization: Bearer " + key + "\r\n"
	if after != "" {
		request += "Last-Event-ID: " + after + "\r\n"
	}
	if _, err := c.Write([]byte(request + "\r\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("open a stream: %w", err), c.Close())
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a stream: %w", err), c.Close())
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return nil, errors.Join(fmt.Errorf("open a stream: %s: %s", response.Status, text), response.Body.Close(), c.Close())
	}
	return &stream{Conn: c, body: response.Body}, nil
}

// streamed is an event of a stream.
type streamed struct {
	id   string
	data []byte
}

// next is the next event with data.
func (s *stream) next() (streamed, error) {
	if s.lines == nil {
		s.lines = bufio.NewReaderSize(s.body, 2<<10)
	}
	var e streamed
	for {
		line, err := s.lines.ReadBytes('\n')
		if err != nil {
			return e, fmt.Errorf("read a stream: %w", err)
		}
		field, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		switch string(field) {
		case "id":
			e.id = string(value)
		case "data":
			e.data = value
			return e, nil
		}
	}
}

// sentBy finds the number of a message of one side in an event, and when it was sent.
func (e streamed) sentBy(from string) (n int, at time.Time, ok bool) {
	_, rest, ok := bytes.Cut(e.data, []byte(`"text":"`+from))
	parts := bytes.SplitN(rest, []byte(" "), 3)
	if !ok || len(parts) < 3 {
		return 0, at, false
	}
	n, err := strconv.Atoi(string(parts[0]))
	nanos, err2 := strconv.ParseInt(string(parts[1]), 10, 64)
	return n, time.Unix(0, nanos), err == nil && err2 == nil
}

// headOf is the position at which the log of a data directory ends that no server has open.
func headOf(ctx context.Context, o Options, data string) (string, error) {
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: data, Logger: o.Logger})
	if err != nil {
		return "", err
	}
	head := l.Position(events.Aggregate{Org: benchOrg}, l.Head()).String()
	return head, l.Close()
}

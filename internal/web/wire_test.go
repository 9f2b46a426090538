package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/web"
)

// over serves streams on a real connection, and gives their address.
func over(t *testing.T, logger *slog.Logger, tail func(ctx context.Context, out *web.Stream) error) (address string, streams *web.Streams) {
	t.Helper()
	streams = web.NewStreams(logger, time.Hour)
	server := httptest.NewServer(web.Recover(logger, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://shop.example")
		if err := streams.Serve(w, r, always, tail, nil); err != nil {
			web.WriteError(w, r, logger, err)
		}
	})))
	t.Cleanup(server.Close)
	t.Cleanup(streams.Close)
	return server.Listener.Addr().String(), streams
}

// say opens a connection and sends a request as it stands.
func say(t *testing.T, address, request string) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c
}

func one(_ context.Context, out *web.Stream) error { return out.Send("1", "", []byte(`{}`)) }

// TestAStreamIsAWholeAnswer: with an end that a client can tell from being cut off, and with what was said in headers before,
// in either version of HTTP that has one connection for each stream.
func TestAStreamIsAWholeAnswer(t *testing.T) {
	t.Parallel()
	address, _ := over(t, slog.New(slog.DiscardHandler), one)
	const want = "retry: 2000\n\nid: 1\ndata: {}\n\n"
	for _, version := range []string{"1.1", "1.0"} {
		c := bufio.NewReader(say(t, address, "GET / HTTP/"+version+"\r\nHost: x\r\n\r\n"))
		res, err := http.ReadResponse(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || string(body) != want || res.Proto != "HTTP/"+version || (len(res.TransferEncoding) > 0) != (version == "1.1") || !res.Close {
			t.Errorf("%s: %q, %+v, %v", version, body, res, err)
		}
		h := res.Header
		if h.Get("Content-Type") != "text/event-stream" || h.Get("Access-Control-Allow-Origin") != "https://shop.example" || h.Get("Date") == "" {
			t.Errorf("%s: %v", version, h)
		}
		if _, err := c.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v behind the answer", version, err)
		}
	}
}

// TestARequestThatIsNoStreamIsAnswered: it is not left without an answer by taking its connection.
func TestARequestThatIsNoStreamIsAnswered(t *testing.T) {
	t.Parallel()
	address, streams := over(t, slog.New(slog.DiscardHandler), one)
	for request, status := range map[string]int{
		"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n":                        http.StatusOK,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}": http.StatusOK,
	} {
		method, _, _ := strings.Cut(request, " ")
		res, err := http.ReadResponse(bufio.NewReader(say(t, address, request)), &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%s: %d", method, res.StatusCode)
		}
	}
	streams.Close()
	res, err := http.ReadResponse(bufio.NewReader(say(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("behind the end: %d", res.StatusCode)
	}
}

// TestAClientThatLeavesEndsItsStream: at once, also when there is nothing to write.
func TestAClientThatLeavesEndsItsStream(t *testing.T) {
	t.Parallel()
	opened, ended := make(chan struct{}), make(chan error, 1)
	address, _ := over(t, slog.New(slog.DiscardHandler), func(ctx context.Context, _ *web.Stream) error {
		close(opened)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	c := say(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-opened
	_ = c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAPanicIsNoWholeAnswer: and it ends one stream alone, and is logged.
func TestAPanicIsNoWholeAnswer(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	address, streams := over(t, slog.New(slog.NewTextHandler(&logged, nil)), func(_ context.Context, out *web.Stream) error {
		_ = out.Send("1", "", []byte(`{}`))
		panic("at the disco")
	})
	res, err := http.ReadResponse(bufio.NewReader(say(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(string(body), "id: 1") {
		t.Errorf("%q, %v", body, err)
	}
	streams.Close()
	if !strings.Contains(logged.String(), "at the disco") {
		t.Errorf("logged %q", logged.String())
	}
}

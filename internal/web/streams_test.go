package web_test

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/web"
)

func always() error { return nil }

// pipes is a listener whose connections have no buffer: what is not read is not written.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.done); return nil }
func (p pipes) Addr() net.Addr { return &net.IPAddr{} }

// serve serves a handler on unbuffered connections and gives a function that asks it, and the stop of the server.
func serve(t *testing.T, h http.HandlerFunc) (ask func() net.Conn, stop func()) {
	t.Helper()
	p := pipes{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: web.Recover(slog.New(slog.DiscardHandler), h), ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(p)
	}()
	return func() net.Conn {
			client, server := net.Pipe()
			p.conns <- server
			if _, err := client.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
				t.Error(err)
			}
			return client
		}, func() {
			_ = srv.Close()
			<-ended
		}
}

// TestASlowReaderIsCutOff: who takes nothing is held for the time of one write, with one event in memory, and what it has
// taken ends with a position to resume from.
func TestASlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		streams := web.NewStreams(slog.New(slog.DiscardHandler), time.Hour)
		sent, cut := 0, make(chan error, 1)
		ask, stop := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_ = streams.Serve(w, r, always, func(_ context.Context, out *web.Stream) error {
				for {
					if err := out.Send(strconv.Itoa(sent+1), "", []byte(`{}`)); err != nil {
						cut <- err
						return err
					}
					sent++
				}
			}, nil)
		})
		client := ask()
		lines := bufio.NewReader(client)
		var last string
		for last != "id: 3" {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			last = strings.TrimSpace(line)
		}
		began := time.Now()
		if err := <-cut; err == nil {
			t.Error("it was not cut off")
		}
		if waited := time.Since(began); waited > 11*time.Second || sent > 5 { // the bubble's clock
			t.Errorf("cut off after %s and %d events", waited, sent)
		}
		streams.Close()
		stop()
		_ = client.Close()
	})
}

// TestStreamsAreToldToComeBack: when the server stops, each client is told when to connect again, in a field that browsers
// obey and an event that others can hear; not all at the same time, and nobody is let in any more.
func TestStreamsAreToldToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		streams := web.NewStreams(slog.New(slog.DiscardHandler), time.Hour)
		const many = 50
		var all [many]*httptest.ResponseRecorder
		ended := make(chan error, many)
		for i := range all {
			all[i] = httptest.NewRecorder()
			go func() {
				ended <- streams.Serve(all[i], httptest.NewRequest(http.MethodGet, "/", nil), always, func(ctx context.Context, out *web.Stream) error {
					out.Hold()
					_ = out.Send("7", "missed", []byte(`{}`)) // what was gathered is written first
					<-ctx.Done()
					return ctx.Err()
				}, nil)
			}()
		}
		synctest.Wait()
		streams.Close()
		pauses := map[int]bool{}
		for i := range all {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			h := all[i].Header()
			if h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-store, no-transform" || h.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%v", h)
			}
			rest, ok := strings.CutPrefix(all[i].Body.String(), "retry: 2000\n\nid: 7\nevent: missed\ndata: {}\n\nretry: ")
			after, rest, _ := strings.Cut(rest, "\n\n")
			pause, err := strconv.Atoi(after)
			if !ok || err != nil || pause < 500 || pause >= 5000 || rest != `event: reconnect`+"\n"+`data: {"after_ms":`+after+"}\n\n" {
				t.Fatalf("%q", all[i].Body)
			}
			pauses[pause] = true
		}
		if len(pauses) < many/2 {
			t.Errorf("%d clients come back at %d moments", many, len(pauses))
		}
		if err := streams.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), always, nil, nil); err == nil {
			t.Error("a stream was let in after the end")
		}
	})
}

// TestWhatIsHeldGoesTogether: a history is written in pieces, an event of now at once, and a heartbeat says up to where
// nothing else is for the client.
func TestWhatIsHeldGoesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		s, err := web.OpenStream(w, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		at := func(n uint64) events.Position { return events.Position{Incarnation: "log", Sequence: n} }
		wrote := func(want string) {
			t.Helper()
			if got := w.Body.String(); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			w.Body.Reset()
		}
		_ = s.Begin(at(1))
		wrote("retry: 2000\n\nid: " + at(1).String() + "\n\n")
		s.Hold()
		_ = s.Send("2", "", []byte(`1`))
		_ = s.Send("3", "", []byte(`2`))
		wrote("")
		s.Release()
		wrote("id: 2\ndata: 1\n\nid: 3\ndata: 2\n\n")
		s.Passed(at(4))
		_ = s.Send("5", "", []byte(`3`))
		wrote("id: 5\ndata: 3\n\n")
		s.Passed(at(6))
		wrote("")
		s.Passed(at(7))                     // behind what was read here, for the race detector
		time.Sleep(2500 * time.Millisecond) //nolint:forbidigo // the bubble's clock: nobody waits
		synctest.Wait()
		s.Hold() // and what the heartbeats wrote is ours to read
		wrote("id: " + at(7).String() + "\n\n: \n\n")
		large := []byte(strings.Repeat("x", 20<<10))
		_ = s.Send("8", "", large)
		if w.Body.Len() < len(large) {
			t.Error("a long history gathers without an end")
		}
	})
}

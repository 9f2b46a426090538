package elastic

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// engine stands for one at the other end of a connection.
type engine struct {
	mu     sync.Mutex
	answer func(req *http.Request) (*http.Response, error)
	asked  []string // method and path
}

func (e *engine) RoundTrip(req *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.asked = append(e.asked, req.Method+" "+req.URL.Path)
	answer := e.answer
	e.mu.Unlock()
	return answer(req)
}

func (e *engine) set(answer func(req *http.Request) (*http.Response, error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// seen are the requests since it was called last.
func (e *engine) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	asked := e.asked
	e.asked = nil
	return asked
}

func status(code int, body string) (*http.Response, error) {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

func well(*http.Request) (*http.Response, error)    { return status(http.StatusOK, "{}") }
func refuses(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

// silent hears and says nothing.
func silent(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func ask(t *testing.T, g *guard) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine:9200/index/_search", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "ApiKey key")
	res, err := g.RoundTrip(req)
	if err == nil {
		err = res.Body.Close()
	}
	return err
}

// While the engine is away it hears of probes alone, one at a time and ever fewer, whatever is asked of us; who asks is
// told at once, and when it is worth asking again.
func TestGuardAsksNobodyWhoIsAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*http.Request) (*http.Response, error){
		"refuses":     refuses,
		"is silent":   silent,
		"unavailable": func(*http.Request) (*http.Response, error) { return status(http.StatusServiceUnavailable, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := &engine{answer: well}
				g := newGuard(e, nil, nil)
				defer g.close()
				if err := ask(t, g); err != nil {
					t.Fatal(err)
				}
				e.set(away)
				for range tripAfter {
					_ = ask(t, g) // some are let through
				}
				if n := len(e.seen()); n != 1+tripAfter {
					t.Fatalf("it heard %d requests", n)
				}
				for range 60_000 { // ten minutes of a hundred requests a second
					began := time.Now()
					var told interface{ RetryAfter() time.Duration }
					if err := ask(t, g); !errors.As(err, &told) || errors.Is(err, context.DeadlineExceeded) || told.RetryAfter() < 0 || told.RetryAfter() > 2*longestPause {
						t.Fatalf("while it is away: %v", err)
					}
					if took := time.Since(began); took != 0 {
						t.Fatalf("it was told only after %s", took)
					}
					time.Sleep(10 * time.Millisecond) //nolint:forbidigo // of the bubble
				}
				probes := e.seen()
				if len(probes) < 20 || len(probes) > 120 {
					t.Errorf("in ten minutes there were %d probes", len(probes))
				}
				for _, p := range probes {
					if p != "GET /" {
						t.Fatalf("it was asked %s", p)
					}
				}
				e.set(well)
				for ask(t, g) != nil {
					time.Sleep(10 * time.Millisecond) //nolint:forbidigo // of the bubble
				}
				if probes := len(e.seen()); probes != 2 { // the probe, and what came after it
					t.Errorf("when it is back it heard %d requests", probes)
				}
			})
		})
	}
}

// One that is well to probes and to nothing else is not asked the more for it.
func TestGuardHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		e.set(func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == "/" {
				return well(req)
			}
			return status(http.StatusServiceUnavailable, "no shards")
		})
		g := newGuard(e, nil, nil)
		defer g.close()
		for range 60_000 {
			_ = ask(t, g)
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // of the bubble
		}
		if n := len(e.seen()); n > 240 {
			t.Errorf("in ten minutes it heard %d requests", n)
		}
	})
}

// What a caller gives up says nothing about the engine, nor does what the engine refuses.
func TestGuardIsNotTripped(t *testing.T) {
	t.Parallel()
	e := &engine{answer: silent}
	g := newGuard(e, nil, nil)
	defer g.close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * tripAfter {
		req, err := http.NewRequestWithContext(gone, http.MethodGet, "http://engine:9200/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := g.RoundTrip(req)
		if err == nil {
			err = res.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	for _, code := range []int{http.StatusTooManyRequests, http.StatusNotFound, http.StatusUnauthorized, http.StatusInternalServerError} {
		e.set(func(*http.Request) (*http.Response, error) { return status(code, "{}") })
		for range 2 * tripAfter {
			if err := ask(t, g); err != nil {
				t.Fatalf("%d: %v", code, err)
			}
		}
	}
}

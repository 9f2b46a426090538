package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTranslate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		status   int
		code     string
		internal bool
	}{
		"kind decides":     {fault.New(fault.Conflict, "conversation_closed", "closed"), 409, "conversation_closed", false},
		"code decides":     {fault.New(fault.Unavailable, "not_yet", "later"), 412, "not_yet", false},
		"wrapped":          {fmt.Errorf("load: %w", fault.New(fault.NotFound, "not_found", "gone")), 404, "not_found", false},
		"internal":         {errors.New("pq: secret table missing"), 500, "internal", true},
		"internal fault":   {fault.New(fault.Internal, "boom", "secret"), 500, "internal", true},
		"deadline":         {fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "timeout", false},
		"client went away": {context.Canceled, 503, "canceled", false},
		"fault over cause": {fault.New(fault.Unavailable, "log_unavailable", "away").WithCause(context.Canceled), 503, "log_unavailable", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, internal := web.Translate(c.err)
			if p.Status != c.status || p.Code != c.code || internal != c.internal {
				t.Fatalf("%+v, internal %v", p, internal)
			}
			if strings.Contains(fmt.Sprintf("%+v", *p), "secret") {
				t.Fatalf("%+v tells a secret", p)
			}
		})
	}
}

func TestProblemHeaders(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	web.WriteError(w, httptest.NewRequest(http.MethodGet, "/", nil), nil, web.ErrRateLimited.WithRetryAfter(1200*time.Millisecond))
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q", got)
	}
	w = httptest.NewRecorder()
	web.WriteError(w, httptest.NewRequest(http.MethodGet, "/", nil), nil, fault.New(fault.Unauthenticated, "unauthenticated", "who?"))
	if got := w.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("WWW-Authenticate %q", got)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	h := web.Recover(slog.New(slog.NewTextHandler(&logged, nil)), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("the secret is 42")
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if p := problem(t, w); p.Code != "internal" || strings.Contains(p.Detail, "42") {
		t.Fatalf("%+v", p)
	}
	if !strings.Contains(logged.String(), "the secret is 42") {
		t.Fatalf("not logged: %s", logged.String())
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a", func(http.ResponseWriter, *http.Request) {})
	h := web.Routes(mux)
	for target, want := range map[string]string{"GET /a": "", "POST /a": "method_not_allowed", "GET /b": "not_found"} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if want == "" {
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d", target, w.Code)
			}
			continue
		}
		if p := problem(t, w); p.Code != want {
			t.Errorf("%s: %+v", target, p)
		}
		if want == "method_not_allowed" && w.Header().Get("Allow") == "" {
			t.Errorf("%s: no Allow", target)
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	l := web.NewLimiter(web.Limit{PerSecond: 10, Burst: 2})
	now := time.Unix(1000, 0)
	for i, want := range []int{1, 0} {
		if q := l.Take("a", now); q.Remaining != want || q.RetryAfter != 0 || q.Limit != 2 {
			t.Fatalf("request %d: %+v", i, q)
		}
	}
	if q := l.Take("a", now); q.RetryAfter != 100*time.Millisecond || q.Reset != 200*time.Millisecond {
		t.Fatalf("third: %+v", q)
	}
	if q := l.Take("b", now); q.RetryAfter != 0 {
		t.Fatalf("another caller pays: %+v", q)
	}
	if q := l.Take("a", now.Add(100*time.Millisecond)); q.RetryAfter != 0 {
		t.Fatalf("after waiting: %+v", q)
	}
	h := http.Header{}
	if err := l.Check(h, "a", now.Add(100*time.Millisecond)); !errors.Is(err, web.ErrRateLimited) {
		t.Fatalf("got %v", err)
	}
	for name, want := range map[string]string{
		"RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": "1",
		"RateLimit": `"default";r=0;t=1`, "RateLimit-Policy": `"default";q=2;w=1`,
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	h = http.Header{}
	if err := web.NewLimiter(web.Limit{}).Check(h, "a", now); err != nil || len(h) != 0 {
		t.Fatalf("no limit: %v %v", err, h)
	}
}

func TestStreamHeartbeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		s, err := web.OpenStream(w, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send("7", "message", []byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond) //nolint:forbidigo // the bubble's clock: nobody waits
		synctest.Wait()
		s.Close()
		time.Sleep(5 * time.Second) //nolint:forbidigo // the bubble's clock: nobody waits
		if got, want := w.Body.String(), "retry: 2000\n\nid: 7\nevent: message\ndata: {\"a\":1}\n\n: \n\n: \n\n"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if err := s.Send("8", "", []byte(`{}`)); err == nil {
			t.Fatal("a closed stream took an event")
		}
	})
}

func TestStreamOverHTTP(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	srv := httptest.NewServer(web.Recover(slog.New(slog.DiscardHandler), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := web.OpenStream(w, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		if err := s.Send("1", "", []byte(`{}`)); err != nil {
			t.Error(err)
		}
		<-end
	})))
	defer srv.Close()
	defer srv.Client().CloseIdleConnections()
	res, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && lines.Text() != "id: 1" { // arrives while the handler still runs
	}
	if err := lines.Err(); err != nil || lines.Text() != "id: 1" {
		t.Fatalf("%q %v", lines.Text(), err)
	}
	close(end)
}

func TestOps(t *testing.T) {
	t.Parallel()
	var stalled error
	var logged strings.Builder
	o := web.NewOps(slog.New(slog.NewTextHandler(&logged, nil)), nil, web.Check{Name: "inbox", Err: func() error { return stalled }})
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		o.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	expect := func(path string, status int, body string) {
		t.Helper()
		if code, got := get(path); code != status || got != body {
			t.Errorf("%s: %d %s, want %d %s", path, code, got, status, body)
		}
	}
	expect("/readyz", 200, `{"ready":true,"checks":{"inbox":"ok"}}`)
	stalled = errors.New("dial postgres://root:hunter2@db")
	expect("/readyz", 503, `{"ready":false,"checks":{"inbox":"failing"}}`)
	stalled = fault.New(fault.Unavailable, "stalled", "no progress").WithCause(errors.New("dial postgres://root:hunter2@db"))
	for range 3 {
		expect("/readyz", 503, `{"ready":false,"checks":{"inbox":"stalled"}}`)
	}
	stalled = nil
	expect("/readyz", 200, `{"ready":true,"checks":{"inbox":"ok"}}`)
	if lines := strings.Split(strings.TrimSpace(logged.String()), "\n"); len(lines) != 3 || strings.Count(logged.String(), "hunter2") != 2 || !strings.Contains(lines[2], "well again") {
		t.Errorf("the operator is told each change once, with its whole reason:\n%s", &logged)
	}
	o.Drain()
	expect("/readyz", 503, `{"ready":false,"checks":{"inbox":"ok","process":"stopping"}}`)
	expect("/healthz", 200, `{"status":"ok"}`)
}

package testkit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// One request that hangs is given up, and there is time for the next.
func TestTryGivesAHangingRequestUp(t *testing.T) {
	t.Parallel()
	if Attempt > patience/3 {
		t.Errorf("an attempt may take %s of %s", Attempt, patience)
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			<-r.Context().Done() // the client has gone
		}
	}))
	t.Cleanup(server.Close)
	c := NewClient(server.URL, "key")
	t.Cleanup(c.Close)
	c.attempt = 20 * time.Millisecond
	if _, err := c.Try(t.Context(), "GET", "/", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request that hangs: %v", err)
	}
	if a := c.OK(t, "GET", "/", nil); a.Status != http.StatusOK {
		t.Errorf("the next: %d", a.Status)
	}
}

// Who gives up says what was wrong the last time.
func TestEventuallyTellsTheLastTry(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	err := Eventually(ctx, "it is done", func() error {
		if tries++; tries == 3 {
			cancel()
		}
		return errors.New("503 starting")
	})
	if tries != 3 || err == nil || !strings.Contains(err.Error(), "it is done") || !strings.Contains(err.Error(), "503 starting") {
		t.Errorf("after %d tries: %v", tries, err)
	}
	never := errors.New("409 never")
	tries = 0
	err = Eventually(t.Context(), "it is done", func() error { tries++; return Final(never) })
	if tries != 1 || !errors.Is(err, never) {
		t.Errorf("after %d tries: %v", tries, err)
	}
	if err := Eventually(t.Context(), "it is done", func() error { return nil }); err != nil {
		t.Error(err)
	}
}

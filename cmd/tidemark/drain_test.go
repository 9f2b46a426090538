package main

import (
	"context"
	"net/http"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestStoppingIsSeenBeforeItBegins: after SIGTERM a balancer that probes over a new connection is told so, and whoever
// it has sent here meanwhile is still answered.
func TestStoppingIsSeenBeforeItBegins(t *testing.T) {
	t.Parallel()
	for _, targets := range []string{"api,chat", "chat"} { // with and without the api, whose pages are its own
		t.Run(targets, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "--targets", targets, "--postgres", nobodyPostgres, "--drain-delay", "10m")
			newcomer := func(path string) (testkit.Answer, error) { // over a connection of its own
				c := testkit.NewClient(s.URL, s.Key)
				defer c.Close()
				return c.Do(context.WithoutCancel(t.Context()), http.MethodGet, path, nil)
			}
			if a, err := newcomer("/readyz"); err != nil || a.Status != http.StatusOK {
				t.Fatalf("%d %s %v", a.Status, a.Raw, err)
			}
			if err := syscall.Kill(s.PID(), syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			testkit.Until(t, "a probe is told that it stops", func() bool {
				a, err := newcomer("/readyz")
				if err != nil {
					t.Fatalf("the listener is closed: %v", err)
				}
				return a.Status == http.StatusServiceUnavailable && a.Str("checks.process") == "stopping"
			})
			if a, err := newcomer("/healthz"); err != nil || a.Status != http.StatusOK {
				t.Errorf("what comes meanwhile: %d %s %v", a.Status, a.Raw, err)
			}
			if targets != "chat" { // which has made the org
				s.OK(t, http.MethodGet, "/v1/queues", nil)
				visit(t, s)
			}
		})
	}
}

// TestDrainDelayEnds: the stop itself begins when the delay is over.
func TestDrainDelayEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, "--targets", "chat", "--drain-delay", "1ms")
	if code := s.Stop(t); code != exitOK {
		t.Errorf("it stopped with %d:\n%s", code, s.Said())
	}
}

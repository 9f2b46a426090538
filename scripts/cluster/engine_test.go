package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// The cluster's search engine answers, and ends with the cluster.
func TestSearchEngine(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	c := &cluster{
		dir: testkit.Dir(t), engine: "opensearch", script: "../search-engine",
		logger: slog.New(slog.NewTextHandler(t.Output(), nil)), layout: layout{PIDs: map[string]int{}},
	}
	if !c.findEngine(t.Context()) {
		t.Fatal("it cannot be run here")
	}
	group := run.NewGroup(context.WithoutCancel(t.Context()), c.logger)
	if err := c.startEngine(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	answers := func() bool {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, c.layout.Search, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		res, err := http.DefaultClient.Do(req)
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}
	var err error
	for range 3 { // it is the slowest of all to start, on a machine that has much else to do
		if err = testkit.Eventually(t.Context(), "it answers", func() error {
			if !answers() {
				return errors.New("it does not")
			}
			return nil
		}); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := group.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if answers() {
		t.Error("it answers when the cluster has ended")
	}
}

// Without Java the cluster goes on with the embedded index, and says what is lacking.
func TestWithoutJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	said := &strings.Builder{}
	c := &cluster{engine: "opensearch", script: "../search-engine", logger: slog.New(slog.NewTextHandler(said, nil))}
	if c.findEngine(t.Context()) || !strings.Contains(said.String(), "lacking=java") {
		t.Errorf("it said %s", said)
	}
}

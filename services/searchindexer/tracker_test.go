package searchindexer

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// refreshes is an engine that notes when it refreshed, in seconds.
type refreshes struct {
	search.Engine

	began time.Time
	at    []float64
}

func (r *refreshes) Open(context.Context, int) (projections.Session, error) {
	return &committing{}, nil
}

func (r *refreshes) RefreshInterval() time.Duration { return time.Second }

func (r *refreshes) Refresh(context.Context) error {
	r.at = append(r.at, time.Since(r.began).Seconds())
	return nil
}

type committing struct {
	projections.Session

	state projections.State
}

func (c *committing) State() projections.State { return c.state }

func (c *committing) Commit(_ context.Context, commit projections.Commit) error {
	c.state.Progress = commit.Progress
	return nil
}

// TestRefreshesInABacklog: what is far behind is shown now and then, what happens now, and the end of the backlog, with the next
// refresh.
func TestRefreshesInABacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		engine := &refreshes{began: time.Now()}
		tracker := newTracker(engine, func() uint64 { return 100_000 })
		session, err := tracker.Open(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- tracker.refreshing(ctx, engine) }()
		commit := func(p projections.Progress) {
			if err := session.Commit(ctx, projections.Commit{Progress: p}); err != nil {
				t.Error(err)
			}
			<-time.After(500 * time.Millisecond)
		}
		<-time.After(10 * time.Second)
		for n := range uint64(24) { // 10 to 22
			commit(projections.Progress{Checkpoint: 1000 * n})
		}
		commit(projections.Progress{Checkpoint: 25_000, LiveFrom: 100_000, LiveThrough: 100_000}) // 22
		commit(projections.Progress{Checkpoint: 26_000, LiveFrom: 100_000, LiveThrough: 100_000})
		commit(projections.Progress{Checkpoint: 27_000, LiveFrom: 100_000, LiveThrough: 100_001}) // 23
		<-time.After(9500 * time.Millisecond)
		commit(projections.Progress{Checkpoint: 28_000, LiveFrom: 100_000, LiveThrough: 100_001}) // 33
		commit(projections.Progress{Checkpoint: 99_000})
		<-time.After(time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if want := []float64{0, 10, 15, 20, 22, 23, 33, 34}; !slices.Equal(engine.at, want) {
			t.Errorf("it refreshed at %v, want %v", engine.at, want)
		}
	})
}

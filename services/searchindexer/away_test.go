package searchindexer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
)

// moody is an engine that is away for some things while it is told to be.
type moody struct {
	search.Engine
	blind, mute *atomic.Bool // it refreshes nothing; it answers no search and counts nothing
}

var errAway = fmt.Errorf("%w: connection refused", projections.ErrTransient)

func (m moody) Refresh(ctx context.Context) error {
	if m.blind.Load() {
		return errAway
	}
	return m.Engine.Refresh(ctx)
}

func (m moody) Search(ctx context.Context, q search.Query) (search.Result, error) {
	if m.mute.Load() {
		return search.Result{}, errAway
	}
	return m.Engine.Search(ctx, q)
}

func (m moody) Documents(ctx context.Context) (uint64, error) {
	if m.mute.Load() {
		<-ctx.Done() // it does not even refuse
		return 0, ctx.Err()
	}
	return m.Engine.Documents(ctx)
}

// gauge is what a metric of one value says; it fails while that is not shown.
func gauge(r *prometheus.Registry, name string) (float64, error) {
	families, err := r.Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue(), nil
		}
	}
	return 0, fmt.Errorf("%s is not shown", name)
}

// How far the index is, is told whatever its engine does: by the status, by the metrics, and to whoever searches.
func TestLagIsToldWithoutTheEngine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.registry = prometheus.NewRegistry()
	var blind, mute, shut atomic.Bool
	open := b.open
	b.open = func(ctx context.Context) (search.Engine, error) {
		if shut.Load() {
			return nil, errors.New("the directory is not there")
		}
		e, err := open(ctx)
		return moody{e, &blind, &mute}, err
	}
	s, stop := b.start(t)
	status := func(what string, is func(search.Status) bool) search.Status {
		t.Helper()
		return until(t, func() (search.Status, error) {
			st, err := b.client.Status(t.Context())
			if err == nil && !is(st) {
				err = fmt.Errorf("%s: %+v", what, st)
			}
			return st, err
		})
	}
	shows := func(name string, is func(float64) bool) {
		t.Helper()
		until(t, func() (float64, error) {
			v, err := gauge(b.registry, name)
			if err == nil && !is(v) {
				err = fmt.Errorf("%s is %v", name, v)
			}
			return v, err
		})
	}
	above := func(v float64) bool { return v > 0 }
	none := func(v float64) bool { return v == 0 }

	b.write(t, "org", "one", opened("One"))
	status("it is current", func(st search.Status) bool {
		return st.AsOf.LagEvents == 0 && st.Documents == 1 && st.FinishSeconds != nil && *st.FinishSeconds == 0
	})
	shows("tidemark_search_finish_seconds", none)
	shows("tidemark_search_hidden_seconds", none)

	blind.Store(true) // what is indexed is not found
	b.write(t, "org", "two", opened("Two"))
	st := status("it is behind", func(st search.Status) bool { return st.AsOf.LagEvents > 0 && st.AsOf.LagSeconds > 0 })
	if st.AsOf.Position.Sequence >= b.log.Head() {
		t.Errorf("as of %+v", st.AsOf)
	}
	status("its lag grows", func(now search.Status) bool { return now.AsOf.LagSeconds > st.AsOf.LagSeconds })
	shows("tidemark_search_hidden_seconds", above)

	mute.Store(true) // nor anything else
	if st := status("it is asked", func(search.Status) bool { return true }); st.Healthy || st.Reason == "" || st.Documents == 0 || st.AsOf.LagEvents == 0 {
		t.Errorf("without its engine: %+v", st)
	}
	_, err := b.client.Search(t.Context(), search.Request{Org: "org"})
	f, _ := errors.AsType[*fault.Fault](err)
	if f == nil || f.Code != "search_unavailable" || f.RetryAfter <= 0 || f.Hint == search.ErrUnavailable.Hint {
		t.Errorf("a search: %+v", err)
	}

	mute.Store(false)
	blind.Store(false)
	status("it is current again", func(st search.Status) bool { return st.AsOf.LagEvents == 0 && st.Documents == 2 })
	shows("tidemark_search_hidden_seconds", none)
	shows("tidemark_search_failing", none)
	if s.Status().State != searchindexer.StateRunning {
		t.Errorf("it is %+v", s.Status())
	}
	stop()
	if _, err := gauge(b.registry, "tidemark_search_failing"); err == nil {
		t.Error("one that has ended still shows something")
	}

	shut.Store(true) // the next one cannot open it at all
	b.start(t)
	shows("tidemark_search_failing", above)
}

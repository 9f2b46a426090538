package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/projections/search"
)

const (
	sampledTalks     = 10_000 // that are written in bulk, each with its customer
	sampledHistories = 800    // whose events are written one by one
	perBulk          = 400    // documents: about a megabyte
	eventWriters     = 4      // as the log has partitions
)

// searchSample is some of the corpus as it is to be indexed.
type searchSample struct {
	whole   []*search.Document   // conversations and their customers as they are
	history [][]*search.Document // of some, after each of their events
}

// sampleDocuments folds them from the log, which no server has open.
func sampleDocuments(ctx context.Context, o Options, data string, ids []string) (_ *searchSample, err error) {
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: data, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	ids = ids[:min(len(ids), sampledTalks)]
	s := &searchSample{whole: make([]*search.Document, 2*len(ids)), history: make([][]*search.Document, min(2*len(ids), sampledHistories))}
	fold := func(ctx context.Context, i int, kind events.Kind, id string) error {
		a := events.Aggregate{Org: benchOrg, Kind: kind, ID: id}
		list, err := l.Read(ctx, a, 0)
		if err != nil {
			return err
		}
		doc := search.NewDocument(a)
		for _, e := range list {
			if err := doc.Fold(e); err != nil {
				return err
			}
			if i < len(s.history) {
				s.history[i] = append(s.history[i], doc.Clone())
			}
		}
		s.whole[i] = doc
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, id := range ids {
		group.Go(func() error {
			if err := fold(ctx, 2*i, events.KindConversation, id); err != nil {
				return err
			}
			return fold(ctx, 2*i+1, events.KindCustomer, s.whole[2*i].Customer)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read the sample: %w", err)
	}
	return s, nil
}

type rawWrite = func(context.Context) error

// rawEvents is how many events a second are written when each is one write of its conversation, in order.
func (r *searchRun) rawEvents(ctx context.Context, dir string) (perSecond float64, err error) {
	raw, err := r.rawIn(ctx, filepath.Join(dir, "events"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	lanes := make([][]rawWrite, eventWriters)
	for i, history := range r.sample.history {
		lane := &lanes[i/2%eventWriters] // of a conversation and of its customer
		for _, d := range history {
			w, err := raw.Prepare([]*search.Document{d})
			if err != nil {
				return 0, err
			}
			*lane = append(*lane, w)
		}
	}
	r.Say("%s: each event as one write", r.name)
	n, took, err := writeAll(ctx, lanes, r.Span)
	return float64(n) / took.Seconds(), err
}

// rawBulk is how many documents a second are written in batches, by as many callers as are best.
func (r *searchRun) rawBulk(ctx context.Context, dir string) (perSecond float64, callers int, err error) {
	for _, n := range []int{1, 2, 4, 8} {
		r.Say("%s: batches of %d documents by %d callers", r.name, perBulk, n)
		got, err := r.rawBulkBy(ctx, filepath.Join(dir, fmt.Sprintf("bulk-%d", n)), n)
		if err != nil {
			return 0, 0, err
		}
		if got > perSecond {
			perSecond, callers = got, n
		}
	}
	return perSecond, callers, nil
}

func (r *searchRun) rawBulkBy(ctx context.Context, dir string, callers int) (perSecond float64, err error) {
	raw, err := r.rawIn(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, raw.Close(), os.RemoveAll(dir)) }()
	lanes := make([][]rawWrite, callers)
	i := 0
	for docs := range slices.Chunk(r.sample.whole, perBulk) {
		w, err := raw.Prepare(docs)
		if err != nil {
			return 0, err
		}
		lanes[i%callers] = append(lanes[i%callers], w)
		i++
	}
	_, took, err := writeAll(ctx, lanes, time.Hour)
	if err != nil {
		return 0, err
	}
	n, err := raw.Documents(ctx)
	if err == nil && n != uint64(len(r.sample.whole)) {
		err = fmt.Errorf("the engine by itself has %d documents of %d", n, len(r.sample.whole))
	}
	return float64(len(r.sample.whole)) / took.Seconds(), err
}

func (r *searchRun) rawIn(ctx context.Context, dir string) (rawWrites, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	return r.raw(ctx, dir)
}

// writeAll has one caller for each lane, until all is written or the time is up.
func writeAll(ctx context.Context, lanes [][]rawWrite, most time.Duration) (n int64, took time.Duration, err error) {
	var written atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, lane := range lanes {
		group.Go(func() error {
			for _, write := range lane {
				if time.Since(began) > most {
					return nil
				}
				if err := write(ctx); err != nil {
					return err
				}
				written.Add(1)
			}
			return nil
		})
	}
	err = group.Wait()
	return written.Load(), time.Since(began), err
}

package eventlog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	fewEvents  = 20_000 // of a filter, that are read aggregate by aggregate
	fewReaders = 16     // at a time
)

// few gives the events of filters with after < sequence ≤ upTo in order, when they are few. The server knows by heart which
// subjects there are; to find a few events among millions of others by a filter it would read all of these. ok is false when
// they are many: then a walk is right.
func (l *Log) few(ctx context.Context, filters []string, after, upTo uint64) (all []events.Recorded, ok bool, err error) {
	subjects, ok, err := l.fewSubjects(ctx, filters)
	if err != nil || !ok {
		return nil, false, err
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fewReaders)
	for _, subject := range subjects {
		a, _, err := events.ParseSubject(subject)
		if err != nil {
			continue // not ours
		}
		group.Go(func() error {
			found, err := l.Read(ctx, a, after)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	all = slices.DeleteFunc(all, func(e events.Recorded) bool { return e.Sequence > upTo })
	slices.SortFunc(all, func(a, b events.Recorded) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all, true, nil
}

// fewSubjects lists the subjects of filters, unless they have too many events.
func (l *Log) fewSubjects(ctx context.Context, filters []string) (subjects []string, ok bool, err error) {
	js, err := jetstream.New(l.conn)
	if err != nil {
		return nil, false, fmt.Errorf("list subjects: %w", err)
	}
	s, err := js.Stream(ctx, streamName)
	if err != nil {
		return nil, false, ErrUnavailable.WithCause(fmt.Errorf("list subjects: %w", err))
	}
	var count uint64
	for _, filter := range filters {
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return nil, false, ErrUnavailable.WithCause(fmt.Errorf("list subjects of %s: %w", filter, err))
		}
		for subject, n := range info.State.Subjects {
			count += n
			subjects = append(subjects, subject)
		}
		if count > fewEvents {
			return nil, false, nil
		}
	}
	return subjects, true, nil
}

package eventlog

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

// cleanAnswers is after how many answers without erased events all replicas are taken to have erased them.
const cleanAnswers = 12

// subjectPurged is where a process tells the others that something was erased.
const subjectPurged = "svc.log.purged"

// Purge erases every event of the aggregate, for ever. Its subject starts again from nothing.
func (l *Log) Purge(ctx context.Context, a events.Aggregate) error { return l.purge(ctx, a, 0) }

// PurgeBefore erases the events of the aggregate with a lower sequence, for ever. What is left keeps its sequences and
// revisions. It may be repeated: what is gone is gone.
func (l *Log) PurgeBefore(ctx context.Context, a events.Aggregate, sequence uint64) error {
	if sequence <= 1 {
		return nil // nothing has a lower one
	}
	return l.purge(ctx, a, sequence)
}

// purge erases what is before a sequence; 0: everything.
func (l *Log) purge(ctx context.Context, a events.Aggregate, before uint64) error {
	if !a.Valid() {
		return fmt.Errorf("purge %s: %w", a, events.ErrSubject)
	}
	if err := l.usable(); err != nil {
		return err
	}
	subject := a.Subject(l.partitions)
	options := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(subject)}
	if before > 0 {
		options = append(options, jetstream.WithPurgeSequence(before))
	}
	js, err := jetstream.New(l.conn)
	if err != nil {
		return fmt.Errorf("purge %s: %w", a, err)
	}
	s, err := js.Stream(ctx, streamName)
	if err == nil {
		err = s.Purge(ctx, options...)
	}
	// In a cluster a replica may still give what was erased: wait for several clean answers before the cache is emptied.
	for clean := 0; err == nil && l.replicated && clean < cleanAnswers; clean++ {
		var p page
		if p, err = l.directPage(ctx, subject, 1, 1, pageBytes); len(p.events) > 0 && (before == 0 || p.events[0].Sequence < before) {
			clean = 0
			err = run.Pause(ctx, retryWait)
		}
	}
	l.blocks.forget()
	if err != nil {
		return ErrUnavailable.WithCause(fmt.Errorf("purge %s: %w", a, err))
	}
	// Nobody's answers depend on it: who does not hear it gives some erased events to its own readers for a while, and
	// those know from the tombstone that they are to be passed over.
	if err := l.conn.Publish(subjectPurged, nil); err != nil {
		l.logger.WarnContext(ctx, "other processes were not told of a purge", "subject", a.String(), "error", err)
	}
	return nil
}

// hearOfPurges drops cached events when any process has erased something.
func (l *Log) hearOfPurges() error {
	if _, err := l.conn.Subscribe(subjectPurged, func(*nats.Msg) { l.blocks.forget() }); err != nil {
		return fmt.Errorf("subscribe to purges: %w", err)
	}
	return nil
}

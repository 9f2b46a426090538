// Package directory is the configuration of every org in memory: orgs, settings, agents, keys, queues, channels and
// rules, folded from the log and followed live.
//
// It exists so that authorising a request or starting an automation asks no database. Every view is an immutable
// snapshot: readers take no lock, may keep what they got, and must not change the slices in it. It reads only the
// kinds in events.ConfigKinds, however long the rest of the log is, and it never writes.
//
// What it does not fully understand it does not use: an aggregate with an event that this version cannot read is
// logged and left out, and a key whose agent or org is left out does not work.
package directory

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// Log is what the directory needs of the event log.
type Log interface {
	Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error
	Wait(ctx context.Context, after uint64) error
	NewestOf(kinds ...events.Kind) uint64
}

// Directory is the configuration, followed live. Make it with New and Run it; it is empty until it has caught up.
type Directory struct {
	log    Log
	logger *slog.Logger

	model *model          // this and the next two are touched by Run alone
	read  uint64          // newest sequence in the model
	dirty map[string]bool // orgs whose views are behind the model
	views views

	mu       sync.Mutex
	seen     uint64 // newest sequence that the views show
	caughtUp bool
	progress chan struct{} // closed and made anew when the two above change
}

// New makes a directory that is empty until Run has caught up.
func New(log Log, logger *slog.Logger) *Directory {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Directory{log: log, logger: logger, model: newModel(), dirty: map[string]bool{}, progress: make(chan struct{})}
}

// Run follows the log until ctx ends, and then returns nil. After an error it may be called again: it goes on where
// it was. Only one Run may be under way. A history that was read in part is not shown: it may have a key and not yet
// that the key was revoked.
func (d *Directory) Run(ctx context.Context) error {
	live := false
	publish := func() {
		for org := range d.dirty {
			d.publish(org)
		}
		clear(d.dirty)
		d.note(d.read)
		live = true
	}
	err := d.log.Tail(ctx, eventlog.Filter{Kinds: events.ConfigKinds}, d.read, publish, func(r events.Recorded) error {
		d.apply(ctx, r)
		d.read = r.Sequence
		d.dirty[r.Org] = true
		if live {
			publish()
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // being told to stop is no error
	}
	if err != nil {
		return fmt.Errorf("follow the configuration: %w", err)
	}
	return nil
}

// Wait returns once the directory has caught up with the log as it stood when Run began.
func (d *Directory) Wait(ctx context.Context) error {
	return d.until(ctx, func() bool { return d.caughtUp })
}

// Ready tells whether the directory has caught up once.
func (d *Directory) Ready() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.caughtUp
}

// WaitFor returns once the directory shows all configuration up to this sequence, whatever kind of event has it: read
// your own write, or decide about an event by the configuration that was there before it.
func (d *Directory) WaitFor(ctx context.Context, sequence uint64) error {
	if err := d.Wait(ctx); err != nil || sequence == 0 {
		return err
	}
	if err := d.log.Wait(ctx, sequence-1); err != nil {
		return fmt.Errorf("wait for the log: %w", err)
	}
	newest := min(sequence, d.log.NewestOf(events.ConfigKinds...))
	return d.until(ctx, func() bool { return d.seen >= newest })
}

func (d *Directory) until(ctx context.Context, done func() bool) error {
	for {
		d.mu.Lock()
		ok, progress := done(), d.progress
		d.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return fmt.Errorf("wait for the directory: %w", context.Cause(ctx))
		}
	}
}

// note tells who waits.
func (d *Directory) note(sequence uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen, d.caughtUp = max(d.seen, sequence), true
	close(d.progress)
	d.progress = make(chan struct{})
}

// apply folds one event. What it cannot read makes its aggregate unusable, for as long as this binary runs.
func (d *Directory) apply(ctx context.Context, r events.Recorded) {
	u, unknown := r.Event.(events.Unknown)
	if !unknown {
		d.model.apply(r)
		return
	}
	d.model.org(r.Org).unusable[r.Aggregate] = true
	d.logger.ErrorContext(ctx, "configuration left out: this version does not know the event; update it",
		"subject", r.String(), "position", r.Sequence, "command_id", r.Command, "type", u.Type, "reason", u.Reason)
}

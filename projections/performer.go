package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// NotNow is returned by a perform function that wants to be asked again later, without that counting as a failure.
// Later intents of the same key wait with it.
type NotNow struct{ After time.Duration } //nolint:errname // it reads as the answer that it is

func (e NotNow) Error() string { return "not before " + e.After.String() }

// PerformerConfig is all that a performer needs.
type PerformerConfig struct {
	Projection string
	Pool       *pgxpool.Pool
	// Perform carries one intent out. It is called again after a crash with the same intent, and so must be idempotent
	// by the intent's id; a command with that id is. Faults of the kinds Unavailable and TooMany are tried again for
	// ever, NotNow when it says, other errors a bounded number of times.
	Perform func(context.Context, Intent) error
	// Begin, when it is set, is called each time this process has become the one that performs, before its first
	// intent: whatever it remembers from earlier is out of date. An error gives the role up for a moment.
	Begin    func(context.Context) error
	Logger   *slog.Logger // default: nothing is logged
	Attempts int          // tries before an intent is marked as failed; default 10
	Workers  int          // keys at a time; default 8
}

// Performer performs the intents of one projection, in one process at a time.
type Performer struct{ cfg PerformerConfig }

// NewPerformer makes a performer; nothing happens before Run.
func NewPerformer(cfg PerformerConfig) *Performer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Attempts <= 0 {
		cfg.Attempts = 10
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 8
	}
	return &Performer{cfg: cfg}
}

// Run works until ctx ends, and returns nil then. While another process performs, or Postgres is away, it waits.
func (p *Performer) Run(ctx context.Context) error {
	for {
		err := p.own(ctx)
		if ctx.Err() == nil && !errors.Is(err, ErrHeld) {
			p.cfg.Logger.WarnContext(ctx, "performer interrupted", "projection", p.cfg.Projection, "error", err)
		}
		if pause(ctx, standbyPause/2+rand.N(standbyPause/2)) != nil { //nolint:gosec // jitter
			return nil //nolint:nilerr // ctx has ended, which is how Run ends
		}
	}
}

// own performs for as long as this process holds the lock.
func (p *Performer) own(ctx context.Context) (err error) {
	conn, err := dedicated(ctx, p.cfg.Pool, "tidemark performer "+p.cfg.Projection, nil)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	if err := lock(ctx, conn, "performer/"+p.cfg.Projection); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+intentsChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if p.cfg.Begin != nil {
		if err := p.cfg.Begin(ctx); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	for {
		n, err := p.round(ctx, conn)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if err := p.await(ctx, conn); err != nil {
			return err
		}
	}
}

// await returns when intents were written, and after a second at the latest: timers become due without a word.
func (p *Performer) await(ctx context.Context, conn *pgx.Conn) error {
	waiting, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(waiting)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting.Err() != nil && !conn.IsClosed():
			return nil
		case err != nil:
			return fmt.Errorf("wait for intents: %w", err)
		case n.Payload == p.cfg.Projection:
			return nil
		}
	}
}

// due takes the oldest due intent of each key; org by org in turn, so that nobody waits behind another's flood.
const due = `
WITH heads AS (
	SELECT DISTINCT ON (org, key) * FROM tidemark.intents
	WHERE projection = $1 AND NOT failed AND due_at <= $2 ORDER BY org, key, cause, id
)
SELECT id, org, kind, key, cause, depth, payload, due_at, attempts FROM (
	SELECT *, row_number() OVER (PARTITION BY org ORDER BY cause, id) AS turn FROM heads WHERE try_at <= $2
) AS heads ORDER BY turn, cause LIMIT 256`

// round performs what is due, each key's next intent once, and tells how many there were.
func (p *Performer) round(ctx context.Context, conn *pgx.Conn) (int, error) {
	rows, err := conn.Query(ctx, due, p.cfg.Projection, time.Now())
	if err != nil {
		return 0, fmt.Errorf("look for intents: %w", err)
	}
	intents, err := pgx.CollectRows(rows, scanIntent)
	if err != nil {
		return 0, fmt.Errorf("look for intents: %w", err)
	}
	results := &pgx.Batch{}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(p.cfg.Workers)
	for _, in := range intents {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil // nothing was tried
			}
			err := p.perform(ctx, in)
			if err != nil && ctx.Err() != nil {
				return nil // it will be tried again, by whoever is next
			}
			mu.Lock()
			defer mu.Unlock()
			p.conclude(ctx, results, in, err)
			return nil
		})
	}
	if err := g.Wait(); err != nil || results.Len() == 0 {
		return len(intents), errors.Join(err, ctx.Err())
	}
	// What was done stays done when we are told to stop just now.
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if err := conn.SendBatch(recording, results).Close(); err != nil {
		return 0, fmt.Errorf("record what was performed: %w", err)
	}
	return len(intents), nil
}

func scanIntent(row pgx.CollectableRow) (in Intent, err error) {
	var cause int64
	var dueAt *time.Time
	err = row.Scan(&in.ID, &in.Org, &in.Kind, &in.Key, &cause, &in.Depth, &in.Payload, finite{&dueAt}, &in.Attempts)
	in.Cause = unsigned(cause)
	if dueAt != nil {
		in.DueAt = *dueAt
	}
	return in, err
}

func (p *Performer) perform(ctx context.Context, in Intent) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("performing %s panicked: %v", in.Kind, r)
		}
	}()
	return p.cfg.Perform(ctx, in)
}

// conclude records what came of an intent.
func (p *Performer) conclude(ctx context.Context, b *pgx.Batch, in Intent, err error) {
	if err == nil {
		b.Queue("DELETE FROM tidemark.intents WHERE projection = $1 AND org = $2 AND id = $3", p.cfg.Projection, in.Org, in.ID)
		return
	}
	attempts := in.Attempts
	var after time.Duration
	later, notNow := errors.AsType[NotNow](err)
	kind := fault.KindOf(err)
	switch {
	case notNow:
		after = later.After
	case kind == fault.Unavailable || kind == fault.TooMany:
		f, _ := errors.AsType[*fault.Fault](err)
		after = max(f.RetryAfter, time.Second)
	default:
		attempts++
		after = min(time.Minute, 100*time.Millisecond<<min(attempts, 10))
	}
	failed := attempts >= p.cfg.Attempts
	if !notNow {
		p.cfg.Logger.WarnContext(ctx, "intent was not performed", "projection", p.cfg.Projection, "intent_kind", in.Kind,
			"command_id", in.ID, "attempts", attempts, "failed", failed, "error", err)
	}
	b.Queue(`UPDATE tidemark.intents SET attempts = $4, try_at = $5, failed = $6, error = $7 WHERE projection = $1 AND org = $2 AND id = $3`,
		p.cfg.Projection, in.Org, in.ID, attempts, time.Now().Add(after), failed, cleanText(err.Error()))
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// NotNow is returned by a perform function that wants to be asked again later, without that counting as a failure.
// Later intents of the same key wait with it. With After zero it is asked again as soon as others have had their turn:
// so a piece of work that is too large for one is done in several.
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
	Workers  int          // keys at a time, of all orgs together; default 64
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
		cfg.Workers = 64
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
		if run.Pause(ctx, standbyPause/2+rand.N(standbyPause/2)) != nil { //nolint:gosec // jitter
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
	s := &shift{
		cfg: &p.cfg, conn: conn, board: newBoard(p.cfg.Workers), done: make(chan performed, p.cfg.Workers),
		now: source{query: dueNow, dirty: true, keys: map[string]string{}}, timed: source{query: dueTimed, dirty: true},
	}
	return s.work(ctx)
}

// performed is an intent, and what came of it.
type performed struct {
	Intent
	err error
}

// shift is the time for which a process is the one that performs. One goroutine looks for intents, starts them, and
// records what came of them; each intent is performed in a goroutine of its own, and a place that becomes free is taken
// at once: none waits for the slowest of several.
type shift struct {
	cfg   *PerformerConfig
	conn  *pgx.Conn
	board *board
	done  chan performed // holds as many as there are places
	over  []performed    // and not recorded yet

	now, timed source
	alarm      time.Time // when timed ones are looked for again
}

func (s *shift) work(ctx context.Context) (err error) {
	performing, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		err = errors.Join(err, s.end(ctx))
	}()
	for {
		for in, ok := s.board.next(); ok; in, ok = s.board.next() {
			go func() { s.done <- performed{in, s.perform(performing, in)} }()
		}
		looked, err := s.look(ctx)
		if err != nil {
			return err
		}
		if looked {
			continue
		}
		if err := s.await(ctx); err != nil {
			return err
		}
	}
}

// end waits for what is under way. What was done stays done also when we are told to stop just now; what was interrupted
// will be tried again, by whoever is next.
func (s *shift) end(ctx context.Context) error {
	for s.board.underWay > 0 {
		s.finish(<-s.done)
	}
	s.over = slices.DeleteFunc(s.over, func(d performed) bool { return d.err != nil })
	if s.conn.IsClosed() {
		return nil // why is known already; the ids of the commands keep anything from happening twice
	}
	return s.record(ctx)
}

func (s *shift) finish(d performed) {
	s.board.finish(d.Intent)
	s.over = append(s.over, d)
	s.now.dirty = true // the next of its key
	s.timed.dirty = s.timed.dirty || d.timed
}

// look asks the database for intents, if there is a place for one and there may be some; it tells whether it asked.
func (s *shift) look(ctx context.Context) (bool, error) {
	if !s.alarm.After(time.Now()) {
		s.timed.dirty, s.now.dirty = true, true
		s.alarm = time.Now().Add(beat) // timers become due without a word
	}
	for _, from := range []*source{&s.timed, &s.now} {
		if !from.dirty || s.board.full() {
			continue
		}
		if err := from.read(ctx, s.conn, s.cfg.Projection, s.board); err != nil {
			return false, fmt.Errorf("look for intents: %w", err)
		}
		return true, nil
	}
	return false, nil
}

// await returns when something was performed, and recorded, when intents were written, and when it is time to look for
// timers.
func (s *shift) await(ctx context.Context) error {
	waiting, cancel := context.WithDeadline(ctx, s.alarm)
	defer cancel()
	heard := make(chan error, 1)
	go func() { heard <- s.hear(waiting) }()
	var err error
	select {
	case d := <-s.done:
		s.finish(d)
		cancel()
		err = <-heard
	case err = <-heard:
	}
	for more := true; more; {
		select {
		case d := <-s.done:
			s.finish(d)
		default:
			more = false
		}
	}
	if err := errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	s.now.dirty = true
	return s.record(ctx)
}

// hear waits for the word that intents of this projection were written.
func (s *shift) hear(ctx context.Context) error {
	for {
		n, err := s.conn.WaitForNotification(ctx)
		switch {
		case ctx.Err() != nil && !s.conn.IsClosed():
			return nil
		case err != nil:
			return fmt.Errorf("wait for intents: %w", err)
		case n.Payload == s.cfg.Projection:
			return nil
		}
	}
}

func (s *shift) perform(ctx context.Context, in Intent) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("performing %s panicked: %v", in.Kind, r)
		}
	}()
	return s.cfg.Perform(ctx, in)
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	startTimeout = 2 * time.Minute
	// A postmaster that was killed leaves backends behind for a moment, and a new one is refused until they are gone.
	startAttempts = 6
	firstBackoff  = 100 * time.Millisecond
	lastBackoff   = 10 * time.Second
	// A server that lived this long had recovered: the next death starts counting from the beginning.
	healthyAfter = 30 * time.Second
)

// firstStart tries a few times, for what heals by itself within seconds.
func (s *Server) firstStart(ctx context.Context) (*process, error) {
	wait := newBackoff()
	for attempt := 1; ; attempt++ {
		p, err := s.bringUp(ctx)
		if err == nil || attempt == startAttempts || run.Pause(ctx, wait.NextBackOff()) != nil {
			return p, err
		}
	}
}

// bringUp adopts the server that runs on our data, or launches one, and waits until it answers. On an error
// nothing is left running.
func (s *Server) bringUp(ctx context.Context) (*process, error) {
	p, err := s.adopt(ctx)
	if err != nil {
		return nil, err
	}
	if p == nil {
		if p, err = s.launch(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.awaitReady(ctx, p); err != nil {
		return nil, errors.Join(err, p.stop(ctx))
	}
	s.update(func(st *State) { st.Phase, st.PID, st.Adopted, st.Err = Running, p.pid, p.adopted, nil })
	s.cfg.Logger.InfoContext(ctx, "postgres running", "pid", p.pid, "adopted", p.adopted, "version", s.program.major, "sockets", s.sockets)
	return p, nil
}

// supervise keeps the server up until ctx ends, and returns the process that is running then, if one is.
func (s *Server) supervise(ctx context.Context, p *process) *process {
	wait := newBackoff()
	for {
		since := time.Now()
		select {
		case <-ctx.Done():
			return p
		case <-p.exited:
		}
		if time.Since(since) >= healthyAfter {
			wait.Reset()
		}
		s.lost(ctx, fmt.Errorf("%s; its log is %s", p.status(), s.logPath()))
		for p = nil; p == nil; {
			if run.Pause(ctx, wait.NextBackOff()) != nil {
				return nil
			}
			var err error
			if p, err = s.relaunch(ctx); err != nil {
				s.lost(ctx, err)
			}
		}
		s.update(func(st *State) { st.Restarts++ })
	}
}

func (s *Server) relaunch(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return s.bringUp(ctx)
}

func (s *Server) lost(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.update(func(st *State) { st.Phase, st.PID, st.Adopted, st.Err = Restarting, 0, false, err })
	s.cfg.Logger.ErrorContext(ctx, "postgres is down and will be restarted", "error", err)
}

// awaitReady returns when the server answers. A connection refused is the normal case on the way there.
func (s *Server) awaitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return ErrNotReady.WithCause(fmt.Errorf("%s: %s", p.status(), p.logTail())).WithHint("see %s", s.logPath())
		case <-ctx.Done():
			return ErrNotReady.WithCause(errors.Join(ctx.Err(), err)).WithHint("see %s", s.logPath())
		case <-tick.C:
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.ConnString(maintenance))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return conn.Close(ctx)
}

func (s *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.ConnString(maintenance))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.cfg.Database).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{s.cfg.Database}.Sanitize())
		// A Tidemark that was killed may have asked for it a moment ago.
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == duplicateDatabase || e.Code == uniqueViolation) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", s.cfg.Database, err)
	}
	return nil
}

func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier = firstBackoff, lastBackoff, 2
	return b
}

// SQLSTATEs of a database that somebody made at the same time.
const (
	duplicateDatabase = "42P04"
	uniqueViolation   = "23505"
)

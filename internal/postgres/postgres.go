// Package postgres is everything about PostgreSQL that is not a query: the embedded server, pools, migrations.
//
// The embedded server is a private PostgreSQL started from the machine's own binaries inside Tidemark's data
// directory. It listens on a Unix socket only, is restarted when it dies, stopped with us, and adopted when it has
// outlived us. Start gives it, Connect and Migrate work on it and on any other server by URL.
//
// It owns DIR/postgres and nothing else, and must not know any table: those belong to the projections.
package postgres

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"

	"github.com/gofrs/flock"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

const (
	superuser   = "tidemark"
	maintenance = "postgres" // the database that is always there
)

// What can be wrong with the embedded server before it runs; compare with errors.Is.
var (
	ErrNoBinaries = fault.New(fault.Unavailable, "postgres_missing", "no PostgreSQL server binaries found")
	ErrDirectory  = fault.New(fault.Unavailable, "postgres_directory", "the directory cannot hold PostgreSQL")
	ErrInUse      = fault.New(fault.Unavailable, "postgres_in_use", "another process owns this PostgreSQL")
	ErrNotReady   = fault.New(fault.Unavailable, "postgres_not_ready", "PostgreSQL did not become ready")
)

// Config says where the server lives. Only Dir is required.
type Config struct {
	Dir         string       // Tidemark's data directory; the server gets Dir/postgres
	Database    string       // created when missing; default "tidemark"
	Logger      *slog.Logger // default: nothing is logged
	BinDirs     []string     // where to look for binaries; default: PATH and the usual places
	Connections int          // that it allows at a time; default 100
	Volatile    bool         // no fsync: for tests, the data does not survive the machine
}

// Phase is what the server is doing.
type Phase string

// The phases. Only Running answers queries.
const (
	Stopped    Phase = "stopped"
	Starting   Phase = "starting"
	Running    Phase = "running"
	Restarting Phase = "restarting" // it died, and is being brought back
)

// State is what is known of the server at one moment.
type State struct {
	Phase    Phase
	PID      int   // of the postmaster; 0 when there is none
	Adopted  bool  // it was running before us
	Restarts int   // how often it died and came back since Start
	Err      error // why it is Restarting
}

// Server is an embedded PostgreSQL.
type Server struct {
	cfg     Config
	home    string // Dir/postgres, absolute and without links
	program program
	owner   *owner // who runs it; nil is ourselves
	sockets string // directory of the socket
	lock    *flock.Flock

	lifecycle sync.Mutex         // one Start or Stop at a time; guards the two below
	cancel    context.CancelFunc // ends the supervision
	last      <-chan *process    // gives the process that ran when the supervision ended; nil when stopped

	mu    sync.Mutex
	state State
}

// Start finds the binaries, makes the database cluster on first use, and returns when the server answers. The
// server goes on when ctx ends; Stop ends it. Errors are faults with a hint for the operator.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Database == "" {
		cfg.Database = superuser
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.BinDirs == nil {
		cfg.BinDirs = usualPlaces()
	}
	owner, err := unprivilegedOwner()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, owner: owner, state: State{Phase: Stopped}}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Start brings a stopped server back with its data. Starting one that is started does nothing.
func (s *Server) Start(ctx context.Context) (err error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.last != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	s.update(func(st *State) { *st = State{Phase: Starting} })
	defer func() {
		if err != nil {
			s.update(func(st *State) { *st = State{Phase: Stopped, Err: err} })
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	p, err := s.firstStart(ctx)
	if err != nil {
		return errors.Join(err, s.lock.Unlock())
	}
	if err := s.createDatabase(ctx); err != nil {
		return errors.Join(err, p.stop(ctx), s.lock.Unlock())
	}
	supervised, stop := context.WithCancel(context.WithoutCancel(ctx))
	last := make(chan *process, 1)
	s.cancel, s.last = stop, last
	go func() { last <- s.supervise(supervised, p) }()
	return nil
}

// Stop ends the server and its supervision, and leaves the data. It asks for a fast shutdown, in which open
// transactions are rolled back; when ctx ends first, the server is made to stop without its last checkpoint, which
// loses nothing. Stopping one that is stopped does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.last == nil {
		return nil
	}
	s.cancel()
	p := <-s.last
	s.cancel, s.last = nil, nil
	var err error
	if p != nil {
		err = p.stop(ctx)
	}
	s.update(func(st *State) { *st = State{Phase: Stopped, Restarts: st.Restarts, Err: err} })
	return errors.Join(err, s.lock.Unlock())
}

// State tells what the server is doing.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// URL of the configured database.
func (s *Server) URL() string { return s.ConnString(s.cfg.Database) }

// ConnString is the URL of one database of the server, whether that exists or not.
func (s *Server) ConnString(database string) string {
	q := url.Values{"host": {s.sockets}, "port": {socketPort}, "user": {superuser}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: q.Encode()}).String()
}

func (s *Server) update(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
}

package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
)

// recheckTries is for how many seconds a server that came back may show less than this process has seen.
const recheckTries = 10

// DefaultPartitions is how many partitions a log gets when nobody says.
const DefaultPartitions = 4

// Config says where the log is. Dir or URL must be given; the rest has defaults.
type Config struct {
	Dir         string                // data directory of the embedded server (its files are under Dir/log); used when URL is empty
	URL         string                // an external NATS server or cluster instead
	Listen      string                // TCP address of the embedded server; empty: reachable from this process only
	Partitions  int                   // fixed when the log is made; 0: 4, or whatever an existing log has
	Replicas    int                   // copies when the log is made: 1, or 3 in a cluster; 0: 1, or whatever an existing log has
	Incarnation string                // when not empty, the log must be this one
	Logger      *slog.Logger          // nil: nothing is logged
	Registerer  prometheus.Registerer // may be nil
}

// Log is an open log. It is safe for concurrent use.
type Log struct {
	config      Config
	logger      *slog.Logger
	server      *embedded // nil for an external one
	conn        *nats.Conn
	reads       []*nats.Conn // for requests alone
	incarnation string
	partitions  int
	replicated  bool // direct reads may be answered by a replica that lags

	requests *requests
	appender *appender
	blocks   *blocks
	sweeps   *sweeps
	hub      *hub
	metrics  *metrics

	broken atomic.Pointer[fault.Fault] // set when the stream behind the connection is not the one that was opened
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	closed sync.Once
}

// Open opens the log, and makes it when there is none. It waits for an external server no longer than ctx says, and at most
// 15 seconds.
func Open(ctx context.Context, c Config) (*Log, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Partitions < 0 || c.Partitions > 1024 {
		return nil, fmt.Errorf("open the log: %d partitions: choose 1 to 1024", c.Partitions)
	}
	if c.Dir == "" && c.URL == "" {
		return nil, errors.New("open the log: neither a data directory nor a NATS URL was given")
	}
	l := &Log{config: c, logger: c.Logger, metrics: newMetrics(c.Registerer)}
	if err := l.open(ctx); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()

	var err error
	if l.config.URL == "" {
		if l.server, err = startEmbedded(bounded, l.config, l.logger); err != nil {
			return err
		}
	}
	// The hub and the appender learn of a lost connection; they exist before anything is sent.
	signals := newSignals()
	if l.conn, err = l.connect(bounded, signals); err != nil {
		return err
	}
	info, err := l.ensureStream(bounded)
	if err != nil {
		return err
	}
	l.incarnation = info.Config.Metadata[metaIncarnation]
	l.replicated = info.Config.Replicas > 1

	// A server works on what one connection sends one after the other: writes must not wait behind somebody's reading. And
	// its store lets each who reads have one event between two writes, which it syncs: so there are several who read.
	reading := newSignals()
	for range readConnections {
		c, err := l.connect(bounded, reading)
		if err != nil {
			return err
		}
		l.reads = append(l.reads, c)
	}
	if l.requests, err = newRequests(l.reads); err != nil {
		return err
	}
	l.blocks = newBlocks(l)
	l.sweeps = newSweeps(l)
	if l.hub, err = newHub(bounded, l); err != nil {
		return err
	}
	if err = l.hearOfPurges(); err != nil {
		return err
	}
	if l.appender, err = newAppender(l); err != nil {
		return err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = stop
	l.tasks.Go(func() { l.hub.run(life) })
	l.tasks.Go(func() { l.sweeps.run(life) })
	l.tasks.Go(func() { l.appender.run(life) })
	l.tasks.Go(func() { l.follow(life, signals, reading) })
	if l.server != nil {
		l.tasks.Go(func() { l.server.mend(life, l.server.dir, l.logger, func() { run.Signal(signals.back) }) })
	}
	return nil
}

// follow passes on what happens to the connections.
func (l *Log) follow(ctx context.Context, s, reading *signals) {
	var checked chan struct{} // while the stream is looked at
	again := false            // it is to be looked at once more
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.lost:
			l.appender.connectionLost()
		case <-reading.lost:
			l.requests.failAll(nats.ErrDisconnected)
		case <-s.back:
			if checked != nil {
				again = true
				continue
			}
			checked = make(chan struct{}, 1)
			l.tasks.Go(func() { // apart: another loss is to be told of meanwhile
				if !l.recheck(ctx) && ctx.Err() == nil {
					time.AfterFunc(time.Second, func() { run.Signal(s.back) })
				}
				checked <- struct{}{}
			})
		case <-checked:
			checked = nil
			l.hub.resync()
			if again {
				again = false
				run.Signal(s.back)
			}
		}
	}
}

// recheck makes sure that the stream is still the one that was opened. It says whether it could find out.
func (l *Log) recheck(ctx context.Context) bool {
	for try := 1; ; try++ {
		seen := l.Head() // before the question: what is written meanwhile is not missing from its answer
		bounded, cancel := context.WithTimeout(ctx, dialTimeout)
		info, err := l.streamInfo(bounded)
		cancel()
		switch {
		case isCode(err, codeStreamNotFound):
			l.breakWith("the stream is gone from the server")
			return true
		case err != nil:
			return false
		case info.Config.Metadata[metaIncarnation] != l.incarnation:
			l.breakWith("the stream was made anew since it was opened")
			return true
		case info.State.LastSeq >= seen:
			return true
		case info.Cluster != nil && info.Cluster.Leader == "":
			return false // a follower told what it has applied so far
		case try == recheckTries:
			l.breakWith(fmt.Sprintf("the stream ends at %d and this process has seen %d: the server lost events", info.State.LastSeq, seen))
			return true
		}
		if run.Pause(ctx, time.Second) != nil { // a new leader has to apply what it knows first
			return false
		}
	}
}

func (l *Log) breakWith(what string) {
	f := fault.New(fault.Unavailable, "log_replaced", "the log is not the one that was opened").
		WithCause(errors.New(what)).
		WithHint("restore the log, or restart with an empty data directory and rebuild the projections")
	if l.broken.CompareAndSwap(nil, f) {
		l.logger.Error("log replaced", "cause", what, "incarnation", l.incarnation)
		l.hub.interrupt()
	}
}

// Err is why the log cannot be used at the moment, nil when it can.
func (l *Log) Err() error {
	switch {
	case l.usable() != nil:
		return l.usable()
	case !l.conn.IsConnected():
		return ErrUnavailable.WithHint("there is no connection to it")
	case l.server != nil && l.server.shut.Load():
		return ErrUnavailable.WithHint("it cannot be written: free some space on its disk")
	}
	return nil
}

func (l *Log) usable() error {
	if f := l.broken.Load(); f != nil {
		return f
	}
	return nil
}

// Close lets the writes under way finish, and closes the connection and the embedded server.
func (l *Log) Close() error {
	var err error
	l.closed.Do(func() {
		if l.appender != nil && l.cancel != nil {
			l.appender.drain()
		}
		if l.cancel != nil {
			l.cancel()
		}
		if l.requests != nil {
			l.requests.failAll(nats.ErrConnectionClosed)
		}
		l.tasks.Wait()
		for _, c := range append(l.reads, l.conn) {
			if c != nil {
				c.Close()
			}
		}
		if l.server != nil {
			err = l.server.stop()
		}
	})
	return err
}

// Conn is the connection, for request and reply and for signals that need not last.
func (l *Log) Conn() *nats.Conn { return l.conn }

// Incarnation is a random name that the log got when it was made.
func (l *Log) Incarnation() string { return l.incarnation }

// Partitions is how many partitions the log has, for ever.
func (l *Log) Partitions() int { return l.partitions }

// Position is the consistency token for an event of the aggregate.
func (l *Log) Position(a events.Aggregate, sequence uint64) events.Position {
	return events.Position{Incarnation: l.incarnation, Partition: a.Partition(l.partitions), Sequence: sequence}
}

// Head is the newest sequence that this process knows of; everything up to it can be read.
func (l *Log) Head() uint64 { return l.hub.head.Load() }

// HeadOf is the newest sequence of the partition that this process knows of.
func (l *Log) HeadOf(partition int) uint64 {
	if partition < 0 || partition >= len(l.hub.heads) {
		return 0
	}
	return l.hub.heads[partition].Load()
}

// HeadTime is when the log took the event at Head; the zero time when it is empty.
func (l *Log) HeadTime() time.Time {
	if n := l.hub.headTime.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Wait returns nil once Head is beyond after.
func (l *Log) Wait(ctx context.Context, after uint64) error { return l.hub.wait(ctx, after) }

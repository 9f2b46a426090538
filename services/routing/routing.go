// Package routing gives waiting conversations to agents and takes them back from agents who left.
//
// It is a reactor. A projection folds conversations into work items and, in the same transaction, writes down that
// an org's work is to be looked at; after the commit one process at a time looks at all of that work and at who is
// there now, and gives commands. Conversations and agents' presence reach the projection in any order, so nothing
// is decided from a single event: whatever the order, the last look sees everything and the state converges.
//
// Started late on a log with history, it looks while it catches up, too. Work that only seems to wait, because its end
// is not folded yet, is refused by the domain; the looks end with one that sees all that waits now. Snoozes whose
// time has passed are ended then.
//
// A look deals with a bounded piece of the work, so that no org waits for another's to be done. Half of what it places
// in a queue is the newest: in a backlog, who writes now is seen now. In its queue a conversation waits by priority,
// then age, whenever it was placed: that order is the desk's, and no younger one passes an older one there.
//
// Every command is named by the revision that calls for it, so that a replay or a second process does nothing
// twice, and the domain refuses what no longer holds. Routing must not change a conversation in any other way.
package routing

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/projections"
)

// Directory is what routing asks of the directory: who is there and which queues there are, now.
type Directory interface {
	WaitFor(ctx context.Context, sequence uint64) error
	Settings(org string) directory.Settings
	Agents(org string) []directory.Agent
	Agent(org, id string) (directory.Agent, bool)
	Queues(org string) []directory.Queue
}

// Conversations is the command handler that routing changes conversations through.
type Conversations = command.Handler[conversation.State, conversation.Command]

// Deps is all that routing needs.
type Deps struct {
	Log           projections.Log
	Pool          *pgxpool.Pool
	Directory     Directory
	Loop          *command.Loop
	Conversations *Conversations
	Logger        *slog.Logger
	Registerer    prometheus.Registerer // may be nil
	Pace          *projections.Pace     // of the process; nil: one of its own
	Clock         func() time.Time      // default time.Now

	// An agent is given at most Burst conversations within BurstWindow, so that a backlog does not bury the first
	// agent who comes online. Defaults: 5 in 10 s.
	Burst       int
	BurstWindow time.Duration
}

// New makes the service; nothing happens before Run.
func New(d Deps) *projections.Service {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Burst == 0 {
		d.Burst = 5
	}
	if d.BurstWindow == 0 {
		d.BurstWindow = 10 * time.Second
	}
	p := &dispatcher{
		log: d.Log, fresh: projections.NewFreshness(d.Pool, d.Log),
		pool: d.Pool, directory: d.Directory, loop: d.Loop, conversations: d.Conversations, logger: d.Logger,
		clock: d.Clock, burst: d.Burst, window: d.BurstWindow, orgs: map[string]*orgMemory{},
	}
	return projections.NewService(projections.ServiceConfig{
		Reactor: handler{}, Perform: p.perform, Begin: p.begin, Log: d.Log, Pool: d.Pool,
		Logger: d.Logger, Registerer: d.Registerer, Pace: d.Pace,
	})
}

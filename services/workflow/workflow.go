// Package workflow runs automations: when an event of a type comes and its text contains words, do steps.
//
// It is a reactor. Rules live in the directory, with every version they ever had; a projection meets each event of
// a conversation with the rules that were in force for it, writes down a run for each match, and in the same
// transaction the intent for each step. Steps are performed as commands whose ids are derived from rule, event and
// step, so that no replay, restart or second process does anything twice. What came of a step is an event, too: in the
// conversation when it changed that, and of the run when it was refused or had nothing to do. So a replay writes the
// same rows down.
//
// Started late on a log with history, it catches up and acts on what happened since each rule was made: a rule is a
// promise, whoever was not running. What came before the rule, and what was imported, starts nothing.
//
// Automations must not feed each other for ever: a run is written down as suppressed, with the reason, when the
// event is itself too many automations deep or the conversation has had too many runs lately.
package workflow

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	domainrun "github.com/tidemark-desk/tidemark/internal/domain/run"
	"github.com/tidemark-desk/tidemark/projections"
)

// Directory is what workflow asks of the directory.
type Directory interface {
	WaitFor(ctx context.Context, sequence uint64) error
	Rules(org string) []directory.Rule
}

// Conversations is the command handler that steps are performed through.
type Conversations = command.Handler[conversation.State, conversation.Command]

// Runs is the command handler that puts on record what came of a step that changed no conversation.
type Runs = command.Handler[domainrun.State, domainrun.Command]

// Deps is all that workflow needs.
type Deps struct {
	Log           projections.Log
	Pool          *pgxpool.Pool
	Directory     Directory
	Conversations *Conversations
	Runs          *Runs
	Logger        *slog.Logger
	Registerer    prometheus.Registerer // may be nil
	Pace          *projections.Pace     // of the process; nil: one of its own
	Limits        Limits
}

// Limits keep automations from feeding each other. Zero values mean the defaults. Changing them changes what a
// rebuild writes down, never what was done.
type Limits struct {
	Depth  int           // events this many automations deep start nothing; default 3
	Budget int           // runs of one conversation within Window; default 20
	Window time.Duration // default an hour
}

// New makes the service; nothing happens before Run.
func New(d Deps) *projections.Service {
	if d.Limits.Depth == 0 {
		d.Limits.Depth = 3
	}
	if d.Limits.Budget == 0 {
		d.Limits.Budget = 20
	}
	if d.Limits.Window == 0 {
		d.Limits.Window = time.Hour
	}
	p := &performer{conversations: d.Conversations, runs: d.Runs}
	return projections.NewService(projections.ServiceConfig{
		Reactor: &handler{directory: d.Directory, limits: d.Limits}, Perform: p.perform, Log: d.Log, Pool: d.Pool,
		Logger: d.Logger, Registerer: d.Registerer, Pace: d.Pace,
	})
}

// Package survey asks visitors how it went: once for each closing of a chat conversation whose channel asks.
//
// It is a reactor. Channels live in the directory, with every setting they ever had; a projection counts the closings of
// each conversation, and writes the intent to ask in the same transaction, when the setting that was in force for the
// closing says so. Whether the visitor still is to be asked is decided where it is known: by the conversation, in one
// append that a reopening cannot get in between. So it is asked or excused, and which of them is an event. The ids of
// commands derive from the event of the closing, so that no replay, restart or second process asks twice.
//
// Started late on a log with history, it catches up and asks about every closing since the channel asked for it: a survey
// is an obligation, whoever was not running. What was imported is history: nobody is asked about it.
//
// A survey that was asked has a timer, which is an intent with a due time.
package survey

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

// Directory is what survey asks of the directory.
type Directory interface {
	WaitFor(ctx context.Context, sequence uint64) error
	Channel(org, id string) (directory.Channel, bool)
}

// Conversations is the command handler that surveys are asked through.
type Conversations = command.Handler[conversation.State, conversation.Command]

// Deps is all that survey needs.
type Deps struct {
	Log           projections.Log
	Pool          *pgxpool.Pool
	Directory     Directory
	Conversations *Conversations
	Clock         func() time.Time // from which the time to answer counts; nil: time.Now
	Logger        *slog.Logger
	Registerer    prometheus.Registerer // may be nil
	Pace          *projections.Pace     // of the process; nil: one of its own
}

// New makes the service; nothing happens before Run.
func New(d Deps) *projections.Service {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	p := &performer{conversations: d.Conversations, clock: d.Clock}
	return projections.NewService(projections.ServiceConfig{
		Reactor: &handler{directory: d.Directory}, Perform: p.perform, Log: d.Log, Pool: d.Pool,
		Logger: d.Logger, Registerer: d.Registerer, Pace: d.Pace,
	})
}

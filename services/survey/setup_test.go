package survey_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/survey"
)

const org = "org"

// bench is a log and a database, and what people do there. Processes with survey are started on it.
type bench struct {
	testing.TB
	log           *eventlog.Log
	database      string
	conversations *survey.Conversations
	channels      *command.Handler[channel.State, channel.Command]
	late          atomic.Int64 // by how much the clock of the processes is behind
}

// setup has a chat channel "site" that asks, and one "quiet" that does not.
func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{TB: t, log: testkit.Log(t), database: reactortest.Database(t)}
	l := command.NewLoop(b.log, command.Options{})
	b.conversations = aggregates.Conversations(l)
	b.channels = aggregates.Channels(l)
	b.configure("site", channel.Create{Type: events.ChannelChat, Name: "Site", SiteKey: "site"})
	b.configure("quiet", channel.Create{Type: events.ChannelChat, Name: "Quiet", SiteKey: "quiet"})
	b.asks(true)
	return b
}

// process is one process with survey: nothing in it is shared with another but the log and the database.
type process struct {
	pool *pgxpool.Pool
	stop func() // and wait
}

func (b *bench) start() *process {
	b.Helper()
	pool := reactortest.Connect(b, b.database)
	logger := slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	d := directory.New(b.log, logger)
	s := survey.New(survey.Deps{
		Log: b.log, Pool: pool, Directory: d, Logger: logger,
		Conversations: aggregates.Conversations(command.NewLoop(b.log, command.Options{})),
		Clock:         func() time.Time { return time.Now().Add(-time.Duration(b.late.Load())) },
	})
	return &process{pool: pool, stop: reactortest.Run(b, pool, d.Run, s.Run)}
}

func by(actor string) command.Meta {
	return command.Meta{ID: events.NewID(), Actor: events.Actor{Type: actor, ID: "somebody"}}
}

func (b *bench) do(id string, c conversation.Command) {
	b.Helper()
	b.seen(b.conversations.Handle(b.Context(), org, id, by(events.ActorAgent), c))
}

func (b *bench) configure(id string, c channel.Command) {
	b.Helper()
	b.seen(b.channels.Handle(b.Context(), org, id, by(events.ActorAgent), c))
}

// asks turns the survey of the site on or off.
func (b *bench) asks(on bool) {
	b.Helper()
	b.configure("site", channel.SetSurvey{Enabled: on, Question: "How was it?", ExpiresAfterHours: 24})
}

// chat is a conversation on the site.
func (b *bench) chat(id string) {
	b.Helper()
	b.do(id, conversation.Open{CustomerID: "zoe", Channel: events.ChannelChat, ChannelID: "site"})
}

func (b *bench) closes(id string) {
	b.Helper()
	b.do(id, conversation.Close{Reason: "solved"})
}

func (b *bench) reopens(id string) {
	b.Helper()
	b.do(id, conversation.Reopen{Reason: "by_hand"})
}

// seen waits until the head of the log, as this process knows it, covers what was just written.
func (b *bench) seen(r command.Result, err error) {
	b.Helper()
	if err == nil {
		err = b.log.Wait(b.Context(), r.Position.Sequence-1)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// settle waits until everything was seen and all that is due was performed, and answers what happened to surveys.
func (b *bench) settle(p *process) []string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 60*time.Second)
	defer cancel()
	fresh := projections.NewFreshness(p.pool, b.log)
	for {
		head := testkit.Head(b, b.log)
		for partition := range b.log.Partitions() {
			at := events.Position{Incarnation: b.log.Incarnation(), Partition: partition, Sequence: b.log.HeadOf(partition)}
			if err := fresh.Await(ctx, survey.Name, at, time.Minute); err != nil {
				b.Fatal(err)
			}
		}
		testkit.Until(b, "nothing is due", func() bool {
			due, failed := b.intents(p, "NOT failed AND due_at <= now()"), b.intents(p, "failed")
			if failed > 0 {
				b.Fatalf("%d intents failed", failed)
			}
			return due == 0
		})
		if testkit.Head(b, b.log) == head {
			return surveys(b.history())
		}
	}
}

// intents counts those that wait.
func (b *bench) intents(p *process, where string) int {
	b.Helper()
	var n int
	if err := p.pool.QueryRow(b.Context(), `SELECT count(*) FROM tidemark.intents WHERE projection = $1 AND `+where, survey.Name).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// history is all that happened in conversations.
func (b *bench) history() []events.Recorded {
	b.Helper()
	var all []events.Recorded
	ctx, enough := context.WithCancel(b.Context())
	err := b.log.Tail(ctx, eventlog.Filter{Kinds: []events.Kind{events.KindConversation}}, 0, enough, func(r events.Recorded) error {
		all = append(all, r)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	return all
}

// until waits for so many events of surveys.
func (b *bench) until(n int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	reached := errors.New("reached")
	seen := 0
	err := b.log.Tail(ctx, eventlog.Filter{Kinds: []events.Kind{events.KindConversation}}, 0, nil, func(r events.Recorded) error {
		if seen += len(surveys([]events.Recorded{r})); seen >= n {
			return reached
		}
		return nil
	})
	if !errors.Is(err, reached) {
		b.Fatalf("%d of %d events of surveys: %v", seen, n, err)
	}
}

// surveys is what happened to surveys, in the order of the log.
func surveys(all []events.Recorded) []string {
	var out []string
	for _, r := range all {
		switch e := r.Event.(type) {
		case events.ConversationSurveyRequested:
			out = append(out, fmt.Sprintf("%s asked about closing %d", r.Aggregate.ID, e.Closing))
		case events.ConversationSurveyExcused:
			out = append(out, fmt.Sprintf("%s excused closing %d: %s", r.Aggregate.ID, e.Closing, e.Reason))
		case events.ConversationSurveyAnswered:
			out = append(out, fmt.Sprintf("%s answered %d", r.Aggregate.ID, e.Score))
		case events.ConversationSurveyExpired:
			out = append(out, r.Aggregate.ID+" expired")
		}
	}
	return out
}

// requested is the newest survey that a conversation was asked.
func (b *bench) requested(id string) (events.Recorded, events.ConversationSurveyRequested) {
	b.Helper()
	var of events.Recorded
	var last events.ConversationSurveyRequested
	for _, r := range b.history() {
		if e, ok := r.Event.(events.ConversationSurveyRequested); ok && r.Aggregate.ID == id {
			of, last = r, e
		}
	}
	if last.SurveyID == "" {
		b.Fatalf("nobody asked about %s", id)
	}
	return of, last
}

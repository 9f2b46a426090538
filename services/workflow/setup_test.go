package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/workflow"
)

const org = "org"

// bench is a log and a database, and what people do there. Processes with workflow are started on it.
type bench struct {
	testing.TB
	log           *eventlog.Log
	database      string
	conversations *workflow.Conversations
	rules         *command.Handler[rule.State, rule.Command]
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{TB: t, log: testkit.Log(t), database: reactortest.Database(t)}
	l := command.NewLoop(b.log, command.Options{})
	b.conversations = aggregates.Conversations(l)
	b.rules = aggregates.Rules(l)
	return b
}

// process is one process with workflow: nothing in it is shared with another but the log and the database.
type process struct {
	pool *pgxpool.Pool
	stop func() // and wait
}

func (b *bench) start(limits workflow.Limits) *process {
	b.Helper()
	pool := reactortest.Connect(b, b.database)
	logger := slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	d := directory.New(b.log, logger)
	l := command.NewLoop(b.log, command.Options{})
	s := workflow.New(workflow.Deps{
		Log: b.log, Pool: pool, Directory: d, Logger: logger, Limits: limits,
		Conversations: aggregates.Conversations(l), Runs: aggregates.Runs(l),
	})
	return &process{pool: pool, stop: reactortest.Run(b, pool, d.Run, s.Run)}
}

func customer() command.Meta {
	return command.Meta{ID: events.NewID(), Actor: events.Actor{Type: events.ActorCustomer, ID: "customer"}}
}

func (b *bench) do(id string, c conversation.Command) {
	b.Helper()
	b.seen(b.conversations.Handle(b.Context(), org, id, customer(), c))
}

func (b *bench) open(id string) {
	b.Helper()
	b.do(id, conversation.Open{CustomerID: "customer", Channel: events.ChannelChat})
}

func (b *bench) says(id, text string) {
	b.Helper()
	b.do(id, conversation.ReceiveMessage{MessageID: events.NewID(), Text: text})
}

func (b *bench) rule(id string, c rule.Command) {
	b.Helper()
	b.seen(b.rules.Handle(b.Context(), org, id, customer(), c))
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

// refund is the rule of most tests.
func refund(on string, steps ...events.RuleStep) rule.Create {
	return rule.Create{Name: "Refunds", Definition: events.RuleDefinition{On: on, Contains: "refund", Steps: steps}}
}

// settle waits until everything was seen and performed, and answers all that happened in conversations.
func (b *bench) settle(p *process) []events.Recorded {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 60*time.Second)
	defer cancel()
	fresh := projections.NewFreshness(p.pool, b.log)
	for {
		head := testkit.Head(b, b.log)
		for partition := range b.log.Partitions() {
			at := events.Position{Incarnation: b.log.Incarnation(), Partition: partition, Sequence: b.log.HeadOf(partition)}
			if err := fresh.Await(ctx, workflow.Name, at, time.Minute); err != nil {
				b.Fatal(err)
			}
		}
		b.idle(ctx, p)
		if testkit.Head(b, b.log) == head {
			break
		}
	}
	var all []events.Recorded
	ctx, enough := context.WithCancel(ctx)
	err := b.log.Tail(ctx, eventlog.Filter{Kinds: []events.Kind{events.KindConversation}}, 0, enough, func(r events.Recorded) error {
		all = append(all, r)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	return all
}

// idle waits until no intent is left.
func (b *bench) idle(ctx context.Context, p *process) {
	b.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		var waiting, failed int
		err := p.pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE failed) FROM tidemark.intents WHERE projection = $1`,
			workflow.Name).Scan(&waiting, &failed)
		if err != nil || failed > 0 {
			b.Fatalf("%d intents failed, error %v", failed, err)
		}
		if waiting == 0 {
			return
		}
		<-look.C
	}
}

// until waits for so many events of automations.
func (b *bench) until(n int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	reached := errors.New("reached")
	seen := 0
	err := b.log.Tail(ctx, eventlog.Filter{Kinds: []events.Kind{events.KindConversation}}, 0, nil, func(r events.Recorded) error {
		if r.Actor.Type == events.ActorWorkflow {
			seen++
		}
		if seen >= n {
			return reached
		}
		return nil
	})
	if !errors.Is(err, reached) {
		b.Fatalf("%d of %d steps: %v", seen, n, err)
	}
}

// runs is the table of runs, as conversation, state, reason, steps done of steps, in the order of their events.
func (b *bench) runs(p *process) []string {
	b.Helper()
	rows, err := p.pool.Query(b.Context(), `SELECT conversation_id, state, reason, steps_done, steps FROM workflow.workflow_run_states ORDER BY event_sequence, rule_id`)
	if err != nil {
		b.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var id, state, reason string
		var done, steps int
		err := row.Scan(&id, &state, &reason, &done, &steps)
		return fmt.Sprintf("%s %s%s %d/%d", id, state, reason, done, steps), err
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// steps lists what automations did, by conversation.
func steps(all []events.Recorded) []string {
	var out []string
	for _, r := range all {
		if r.Actor.Type != events.ActorWorkflow {
			continue
		}
		switch e := r.Event.(type) {
		case events.ConversationTagged:
			out = append(out, r.Aggregate.ID+" tagged "+e.Tag)
		case events.ConversationMessageWritten:
			out = append(out, r.Aggregate.ID+" wrote "+e.Text)
		}
	}
	return out
}

package routing_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/routing"
)

// bench is a log and a database, and all that a desk does there by hand. Processes with routing are started on it.
type bench struct {
	testing.TB
	log           *eventlog.Log
	database      string
	conversations *routing.Conversations
	agents        *command.Handler[agent.State, agent.Command]
	queues        *command.Handler[queue.State, queue.Command]
	orgs          *command.Handler[org.State, org.Command]
	clock         atomic.Int64 // added to the time
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{TB: t, log: testkit.Log(t), database: reactortest.Database(t)}
	l := b.loop()
	b.conversations = conversations(l)
	b.agents = command.For(l, command.Decider[agent.State, agent.Command]{Kind: events.KindAgent, Evolve: agent.Evolve, Decide: agent.Decide})
	b.queues = command.For(l, command.Decider[queue.State, queue.Command]{Kind: events.KindQueue, Evolve: queue.Evolve, Decide: queue.Decide})
	b.orgs = command.For(l, command.Decider[org.State, org.Command]{Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide})
	return b
}

func (b *bench) now() time.Time { return time.Now().Add(time.Duration(b.clock.Load())) }

func (b *bench) loop() *command.Loop {
	return command.NewLoop(b.log, command.Options{Clock: b.now})
}

func conversations(l *command.Loop) *routing.Conversations {
	return command.For(l, command.Decider[conversation.State, conversation.Command]{
		Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide,
	})
}

// process is one process with routing: nothing in it is shared with another but the log and the database.
type process struct {
	service *projections.Service
	pool    *pgxpool.Pool
	stop    func() // and wait
}

func (b *bench) start(change ...func(*routing.Deps)) *process {
	b.Helper()
	pool := reactortest.Connect(b, b.database)
	logger := slog.New(slog.NewTextHandler(b.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	d := directory.New(b.log, logger)
	l := b.loop()
	deps := routing.Deps{
		Log: b.log, Pool: pool, Directory: d, Loop: l, Conversations: conversations(l), Logger: logger,
		Clock: b.now, Burst: 1000,
	}
	for _, f := range change {
		f(&deps)
	}
	s := routing.New(deps)
	return &process{service: s, pool: pool, stop: reactortest.Run(b, pool, d.Run, s.Run)}
}

// office is one org of the bench, as its people act in it.
type office struct {
	*bench
	org   string
	queue string
}

// office makes an org with one queue and these agents, who are offline members of it.
func (b *bench) office(capacity int, agents ...string) *office {
	b.Helper()
	o := &office{bench: b, org: "o" + rand.Text(), queue: "front"}
	b.ok(b.orgs.Handle(b.Context(), o.org, o.org, person(), org.Create{Name: "Org", Secret: make([]byte, org.SecretSize)}))
	b.ok(b.queues.Handle(b.Context(), o.org, o.queue, person(), queue.Create{Name: "Front"}))
	for _, a := range agents {
		b.ok(b.agents.Handle(b.Context(), o.org, a, person(), agent.Create{
			Name: a, Email: a + "@example.com", Role: events.RoleAgent, Capacity: capacity,
		}))
		b.ok(b.queues.Handle(b.Context(), o.org, o.queue, person(), queue.AddMember{AgentID: a}))
	}
	return o
}

// ok takes what Handle answers, and waits until the head of the log, as this process knows it, covers it.
func (b *bench) ok(r command.Result, err error) {
	b.Helper()
	if err == nil {
		err = b.log.Wait(b.Context(), r.Position.Sequence-1)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func person() command.Meta {
	return command.Meta{ID: events.NewID(), Actor: events.Actor{Type: events.ActorAgent, ID: "boss"}}
}

func (o *office) do(id string, c conversation.Command) {
	o.Helper()
	o.ok(o.conversations.Handle(o.Context(), o.org, id, person(), c))
}

func (o *office) open(ids ...string) {
	o.Helper()
	for _, id := range ids {
		o.do(id, conversation.Open{CustomerID: "customer", Channel: events.ChannelChat})
	}
}

func (o *office) presence(a string, p events.Presence) {
	o.Helper()
	o.ok(o.agents.Handle(o.Context(), o.org, a, person(), agent.SetPresence{Presence: p, Reason: "test"}))
}

// ids names n conversations.
func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("c%02d", i)
	}
	return out
}

// floor is how the log says that things are: every conversation folded, and all that happened, in order.
type floor struct {
	Conversations map[string]conversation.State
	History       []events.Recorded
}

// until follows the office's conversations in the log until they are as wanted.
func (o *office) until(what string, wanted func(floor) bool) floor {
	o.Helper()
	ctx, cancel := context.WithTimeout(o.Context(), 30*time.Second)
	defer cancel()
	reached := errors.New("reached")
	f := floor{Conversations: map[string]conversation.State{}}
	err := o.log.Tail(ctx, eventlog.Filter{Org: o.org, Kinds: []events.Kind{events.KindConversation}}, 0, nil, func(r events.Recorded) error {
		f.History = append(f.History, r)
		f.Conversations[r.Aggregate.ID] = conversation.Evolve(f.Conversations[r.Aggregate.ID], r.Event)
		if wanted(f) {
			return reached
		}
		return nil
	})
	if !errors.Is(err, reached) {
		o.Fatalf("%s: %v; the conversations are %+v", what, err, f.assignees())
	}
	return f
}

func (f floor) assignees() map[string]string {
	out := map[string]string{}
	for id, s := range f.Conversations {
		if s.Status == events.StatusOpen {
			out[id] = s.AssigneeID
		}
	}
	return out
}

// has tells how many open conversations an agent has; the agent "" has those that wait.
func (f floor) has(a string) int {
	n := 0
	for _, has := range f.assignees() {
		if has == a {
			n++
		}
	}
	return n
}

// given lists the conversations that routing gave out, in order, as conversation>agent.
func (f floor) given() []string {
	var out []string
	for _, r := range f.History {
		if e, ok := r.Event.(events.ConversationAssigned); ok && r.Actor.Type == events.ActorRouting {
			out = append(out, r.Aggregate.ID+">"+e.AgentID)
		}
	}
	return out
}

// woken lists the events by which snoozes ended, in order.
func (f floor) woken() []events.Recorded {
	var out []events.Recorded
	for _, r := range f.History {
		if _, ok := r.Event.(events.ConversationWoke); ok {
			out = append(out, r)
		}
	}
	return out
}

// settle waits until routing has seen everything and has nothing left to do now, and answers how things are then.
func (o *office) settle(p *process) floor {
	o.Helper()
	ctx, cancel := context.WithTimeout(o.Context(), 60*time.Second)
	defer cancel()
	fresh := projections.NewFreshness(p.pool, o.log)
	for {
		head := testkit.Head(o, o.log)
		for partition := range o.log.Partitions() {
			at := events.Position{Incarnation: o.log.Incarnation(), Partition: partition, Sequence: o.log.HeadOf(partition)}
			if err := fresh.Await(ctx, routing.Name, at, time.Minute); err != nil {
				o.Fatal(err)
			}
		}
		o.idle(ctx, p)
		if testkit.Head(o, o.log) == head {
			break
		}
	}
	f := floor{Conversations: map[string]conversation.State{}}
	ctx, enough := context.WithCancel(ctx)
	err := o.log.Tail(ctx, eventlog.Filter{Org: o.org, Kinds: []events.Kind{events.KindConversation}}, 0, enough, func(r events.Recorded) error {
		f.History = append(f.History, r)
		f.Conversations[r.Aggregate.ID] = conversation.Evolve(f.Conversations[r.Aggregate.ID], r.Event)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		o.Fatal(err)
	}
	return f
}

// idle waits until no intent is left that could be performed now.
func (o *office) idle(ctx context.Context, p *process) {
	o.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		var due, failed int
		err := p.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE greatest(due_at, try_at) <= now()), count(*) FILTER (WHERE failed)
			FROM tidemark.intents WHERE projection = $1`, routing.Name).Scan(&due, &failed)
		if err != nil || failed > 0 {
			o.Fatalf("%d intents failed, error %v", failed, err)
		}
		if due == 0 {
			return
		}
		<-look.C
	}
}

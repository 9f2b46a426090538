package eraser_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
	"github.com/tidemark-desk/tidemark/services/eraser"
)

// bench is a log and a database. Processes are started on it.
type bench struct {
	testing.TB
	log       *eventlog.Log
	directory *directory.Directory
	database  string
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{TB: t, log: testkit.Log(t), database: reactortest.Database(t)}
	b.directory = directory.New(b.log, nil)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.directory.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	got, err := aggregates.Orgs(command.NewLoop(b.log, command.Options{})).
		Handle(t.Context(), "acme", "acme", command.Meta{}, org.Create{Name: "Acme", Secret: make([]byte, org.SecretSize)})
	if err == nil {
		err = b.directory.WaitFor(t.Context(), got.Position.Sequence)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// process is one process: what it wants done in the log may be cut off.
type process struct {
	*bench
	log    *mortal
	loop   *command.Loop
	intake *intake.Intake
	eraser *erasure.Eraser
	pool   *pgxpool.Pool
	stop   func() // and wait
}

// process makes one that lives for ever.
func (b *bench) process() *process { return b.mortal(-1, false) }

// mortal makes a process that dies at its nth effect on the log, from 0: instead of it or right after it.
func (b *bench) mortal(n int, after bool) *process {
	b.Helper()
	pool := reactortest.Connect(b, b.database)
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	p := &process{bench: b, pool: pool, log: &mortal{Log: b.log, after: after, die: cancel}}
	p.log.left.Store(int64(n))
	p.loop = command.NewLoop(p.log, command.Options{})
	p.intake = intake.New(p.loop, b.directory)
	p.eraser = erasure.New(p.log, p.loop, b.directory, nil)
	s := eraser.New(eraser.Deps{Log: b.log, Pool: pool, Eraser: p.eraser, Logger: slog.New(slog.DiscardHandler)})
	var done sync.WaitGroup
	p.stop = sync.OnceFunc(func() { cancel(); done.Wait(); pool.Close() })
	b.Cleanup(p.stop)
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	return p
}

// mortal is a log that is cut off at some effect.
type mortal struct {
	*eventlog.Log
	left  atomic.Int64 // effects until then; negative: never
	after bool
	die   func()
	dead  atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Append(ctx context.Context, writes ...eventlog.Write) (out []uint64, err error) {
	err = m.effect(func() error { out, err = m.Log.Append(ctx, writes...); return err })
	return out, err
}

func (m *mortal) PurgeBefore(ctx context.Context, a events.Aggregate, sequence uint64) error {
	return m.effect(func() error { return m.Log.PurgeBefore(ctx, a, sequence) })
}

// effect does something, or dies. Whoever is dead does nothing and hears of nothing.
func (m *mortal) effect(do func() error) error {
	if m.dead.Load() {
		return errDead
	}
	if m.left.Add(-1) != -1 {
		return do()
	}
	m.dead.Store(true)
	if m.after {
		if err := do(); err != nil {
			return err
		}
	}
	m.die()
	return errDead
}

// open has somebody write, and gives their customer and conversation.
func (p *process) open(who intake.Customer, text string) (customerID, conversationID string) {
	p.Helper()
	got, err := p.intake.Open(p.Context(), "acme", command.Meta{}, intake.Request{
		Channel: events.ChannelEmail, Subject: "about " + text, Customer: who, Message: intake.Message{Text: text},
	})
	if err != nil {
		p.Fatal(err)
	}
	return got.CustomerID, got.ConversationID
}

// change gives a command to a conversation.
func (p *process) change(id string, c conversation.Command) {
	p.Helper()
	if _, err := aggregates.Conversations(p.loop).Handle(p.Context(), "acme", id, command.Meta{}, c); err != nil {
		p.Fatal(err)
	}
}

// merge lets one customer go on in another.
func (p *process) merge(from, into string) {
	p.Helper()
	customers, claims := aggregates.Customers(p.loop), aggregates.Claims(p.loop)
	tenant, _ := p.directory.Org("acme")
	_, err := p.loop.Atomic(p.Context(), command.Meta{}, func(tx *command.Tx) error {
		s, _, err := command.Peek(tx, customers, "acme", from)
		if err != nil {
			return err
		}
		for _, i := range s.Identities {
			move := claim.Command(claim.Move{FromID: from, CustomerID: into, Reason: "merged"})
			if err := command.Stage(tx, claims, "acme", tenant.ClaimID(i.Type, i.Value), move); err != nil {
				return err
			}
		}
		if err := command.Stage(tx, customers, "acme", from, customer.Command(customer.MergeInto{IntoID: into, Reason: "same"})); err != nil {
			return err
		}
		return command.Stage(tx, customers, "acme", into, customer.Command(customer.Absorb{FromID: from, Identities: s.Identities, Reason: "same"}))
	})
	if err != nil {
		p.Fatal(err)
	}
}

// erase asks for an erasure, by the same command each time.
func (p *process) erase(id string) error {
	_, err := p.eraser.Erase(p.Context(), "acme", id, command.Meta{ID: "erase " + id, Actor: events.Actor{Type: events.ActorAgent, ID: "boss"}})
	return err
}

// done waits until an erasure has ended.
func (p *process) done(id string) {
	p.Helper()
	testkit.Until(p, "the erasure of "+id+" has ended", func() bool {
		e, err := p.eraser.Find(p.Context(), "acme", id)
		if err != nil {
			p.Fatal(err)
		}
		return e.Done
	})
}

// idle waits until no intent is left.
func (p *process) idle() {
	p.Helper()
	testkit.Until(p, "nothing is left to be erased", func() bool {
		var n int
		if err := p.pool.QueryRow(p.Context(), "SELECT count(*) FROM tidemark.intents").Scan(&n); err != nil {
			p.Fatal(err)
		}
		return n == 0
	})
}

func (b *bench) types(kind events.Kind, id string) []string {
	b.Helper()
	list, err := b.log.Read(b.Context(), events.Aggregate{Org: "acme", Kind: kind, ID: id}, 0)
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, r := range list {
		out = append(out, r.Event.EventType())
	}
	return out
}

// gone checks that nothing of these texts is left in the log, and that each subject has its tombstone, alone.
func (b *bench) gone(texts []string, customers, conversations []string) {
	b.Helper()
	if found := testkit.Mentions(testkit.Messages(b, b.log), texts...); len(found) > 0 {
		b.Errorf("still in the log: %q", found)
	}
	for kind, ids := range map[events.Kind][]string{events.KindCustomer: customers, events.KindConversation: conversations} {
		for _, id := range ids {
			if got := b.types(kind, id); len(got) != 1 || got[0] != string(kind)+".erased.v1" {
				b.Errorf("%s %s has %v", kind, id, got)
			}
		}
	}
}

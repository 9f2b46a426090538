package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/visitor"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// bundle is a real log with the orgs acme and rival, and one process on it.
type bundle struct {
	t         *testing.T
	log       *eventlog.Log
	directory *directory.Directory
	loop      *command.Loop
	intake    *intake.Intake
	eraser    *erasure.Eraser
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{t: t, log: testkit.Log(t)}
	d := directory.New(b.log, nil)
	b.directory = d
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	b = b.process()
	for _, id := range []string{"acme", "rival"} {
		got, err := aggregates.Orgs(b.loop).Handle(t.Context(), id, id, command.Meta{}, org.Create{Name: id, Secret: []byte(id + "--------------------------------")[:32]})
		if err == nil {
			err = b.directory.WaitFor(t.Context(), got.Position.Sequence)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// process is another process on the same log: its caches are cold.
func (b bundle) process() bundle {
	b.loop = command.NewLoop(b.log, command.Options{})
	b.intake = intake.New(b.loop, b.directory)
	b.eraser = erasure.New(b.log, b.loop, b.directory, nil)
	return b
}

// open has somebody write, and gives their customer and conversation.
func (b bundle) open(who intake.Customer, text string) (customerID, conversationID string) {
	b.t.Helper()
	got, err := b.intake.Open(b.t.Context(), "acme", command.Meta{}, intake.Request{
		Channel: events.ChannelEmail, Subject: "about " + text, Customer: who, Message: intake.Message{Text: text},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return got.CustomerID, got.ConversationID
}

// merge lets one customer go on in another, as the domain has it: both and the claims in one batch.
func (b bundle) merge(from, into string) {
	b.t.Helper()
	customers, claims := aggregates.Customers(b.loop), aggregates.Claims(b.loop)
	tenant, _ := b.directory.Org("acme")
	_, err := b.loop.Atomic(b.t.Context(), command.Meta{}, func(tx *command.Tx) error {
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
		b.t.Fatal(err)
	}
}

func (b bundle) erase(id string, m command.Meta) erasure.Erasure {
	b.t.Helper()
	got, err := b.eraser.Erase(b.t.Context(), "acme", id, m)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func (b bundle) read(kind events.Kind, id string) []events.Recorded {
	b.t.Helper()
	out, err := b.log.Read(b.t.Context(), events.Aggregate{Org: "acme", Kind: kind, ID: id}, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func types(list []events.Recorded) string {
	var out []string
	for _, r := range list {
		out = append(out, strings.TrimSuffix(r.Event.EventType(), ".v1"))
	}
	return strings.Join(out, " ")
}

func TestErase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	zoe, first := b.open(intake.Customer{Name: "Zoe Berg", Email: "zoe@example.com", Phone: "+49 30 901820"}, "my confession")
	old, second := b.open(intake.Customer{Name: "Z. Berg", Email: "old@example.com"}, "an old confession")
	older, third := b.open(intake.Customer{Name: "Zö Berg", X: "@zoe"}, "an older confession")
	bob, kept := b.open(intake.Customer{Name: "Bob", Email: "bob@example.com"}, "hello")
	b.merge(older, old)
	b.merge(old, zoe)
	for _, id := range []string{old, zoe, bob} {
		if _, err := aggregates.Visitors(b.loop).Handle(t.Context(), "acme", id, command.Meta{}, visitor.RevokeSessions{}); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := b.eraser.Erase(t.Context(), "acme", older, command.Meta{}); !errors.Is(err, customer.ErrMerged) || !strings.Contains(err.Error(), old) {
		t.Errorf("who was merged: %v", err)
	}
	for org, id := range map[string]string{"acme": "nobody", "rival": zoe} {
		if _, err := b.eraser.Erase(t.Context(), org, id, command.Meta{}); !errors.Is(err, customer.ErrNotFound) {
			t.Errorf("%s of %s: %v", id, org, err)
		}
	}
	if _, err := b.eraser.Find(t.Context(), "acme", zoe); !errors.Is(err, erasure.ErrNone) {
		t.Errorf("before it: %v", err)
	}

	personal := []string{"Berg", "confession", `"zoe"`, "4930901820", "old@example.com"}
	for _, text := range personal {
		if len(testkit.Mentions(testkit.Messages(t, b.log), text)) == 0 {
			t.Errorf("%s would not be found", text)
		}
	}
	m := command.Meta{ID: "cmd", Digest: "d", Actor: events.Actor{Type: events.ActorAgent, ID: "ann"}}
	before := testkit.Head(t, b.log)
	got := b.erase(zoe, m)
	if err := b.log.Wait(t.Context(), got.Position.Sequence-1); err != nil {
		t.Fatal(err)
	}
	// Four claims are released, three customers have tombstones, and the last event of the batch is zoe's.
	if got.Done || got.CustomerID != zoe || got.Position.Sequence != before+7 || testkit.Head(t, b.log) != before+7 {
		t.Errorf("%+v after %d, the log ends at %d", got, before, testkit.Head(t, b.log))
	}
	for _, id := range []string{older, old, zoe} {
		list := b.read(events.KindCustomer, id)
		stone, ok := list[len(list)-1].Event.(events.CustomerErased)
		if want := map[bool]string{true: zoe}[id != zoe]; !ok || stone.WithID != want || stone.Reason != erasure.ReasonRequested {
			t.Errorf("%s ends with %#v", id, list[len(list)-1].Event)
		}
	}
	for name, b := range map[string]bundle{"warm": b, "another process": b.process()} {
		if again := b.erase(zoe, m); again != got {
			t.Errorf("%s: again: %+v, was %+v", name, again, got)
		}
		if again := b.erase(zoe, command.Meta{}); again != got {
			t.Errorf("%s: by another command: %+v, was %+v", name, again, got)
		}
		if _, err := b.eraser.Erase(t.Context(), "acme", zoe, command.Meta{ID: "cmd", Digest: "e"}); !errors.Is(err, command.ErrKeyReused) {
			t.Errorf("%s: other digest: %v", name, err)
		}
	}

	// The customer and the addresses are gone; the addresses are there for somebody new.
	if _, err := b.intake.Open(t.Context(), "acme", command.Meta{}, intake.Request{
		Channel: events.ChannelEmail, Customer: intake.Customer{ID: old}, Message: intake.Message{Text: "still here?"},
	}); !errors.Is(err, customer.ErrErased) {
		t.Errorf("a conversation for who is erased: %v", err)
	}
	next, _ := b.open(intake.Customer{Name: "Next", Email: "zoe@example.com"}, "I have her address now")
	if next == zoe || len(b.read(events.KindCustomer, next)) != 2 {
		t.Errorf("the address led to %s, who was %s", next, zoe)
	}

	// Purged, in any order and twice, only tombstones are left, and what never was theirs.
	b = b.process()
	for _, id := range []string{third, first, second, "nothing", first} {
		if err := b.eraser.PurgeConversation(t.Context(), "acme", id, command.Meta{ID: "erase:" + id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{zoe, old, older, old, zoe} {
		if err := b.eraser.PurgeCustomer(t.Context(), "acme", id); err != nil {
			t.Fatal(err)
		}
	}
	if found := testkit.Mentions(testkit.Messages(t, b.log), personal...); len(found) > 0 {
		t.Errorf("still in the log: %q", found)
	}
	for id, want := range map[string]string{old: "", zoe: "", bob: "visitor.sessions_revoked"} {
		if got := types(b.read(events.KindVisitor, id)); got != want {
			t.Errorf("of the sessions of %s the log has %q, want %q", id, got, want)
		}
	}
	for _, id := range []string{first, second, third} {
		if list := b.read(events.KindConversation, id); types(list) != "conversation.erased" {
			t.Errorf("conversation %s has %s", id, types(list))
		}
	}
	if done := b.erase(zoe, m); !done.Done || done.Position != got.Position || !done.At.Equal(got.At) {
		t.Errorf("in the end: %+v, was %+v", done, got)
	}
	if found, err := b.eraser.Find(t.Context(), "acme", zoe); err != nil || !found.Done {
		t.Errorf("in the end: %+v, %v", found, err)
	}
	tenant, _ := b.directory.Org("acme")
	for address, want := range map[events.Identity]string{
		{Type: events.IdentityEmail, Value: "zoe@example.com"}: "claim.taken", // by who has it now
		{Type: events.IdentityEmail, Value: "old@example.com"}: "",
		{Type: events.IdentityX, Value: "zoe"}:                 "",
		{Type: events.IdentityPhone, Value: "+4930901820"}:     "",
		{Type: events.IdentityEmail, Value: "bob@example.com"}: "claim.taken",
	} {
		if got := types(b.read(events.KindClaim, tenant.ClaimID(address.Type, address.Value))); got != want {
			t.Errorf("the claim on %s has %q, want %q", address.Value, got, want)
		}
	}
	if list := b.read(events.KindConversation, kept); len(list) != 2 || len(b.read(events.KindCustomer, bob)) != 2 {
		t.Errorf("somebody else's conversation has %s", types(list))
	}
	if again, _ := b.open(intake.Customer{Email: "old@example.com"}, "again"); again == old {
		t.Error("a purged claim led to who is erased")
	}
}

// TestComingBack: whatever comes again under an id that was erased is refused, before the purge and after it, by who knew
// the history and by who did not.
func TestComingBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := command.Meta{ID: "first", Actor: events.Actor{Type: events.ActorImport}}
	r := intake.Request{ConversationID: "talk", Channel: events.ChannelChat, Customer: intake.Customer{Name: "Zoe"}, Message: intake.Message{ID: "m1", Text: "secret"}}
	opened, err := b.intake.Open(t.Context(), "acme", m, r)
	if err != nil {
		t.Fatal(err)
	}
	talk := aggregates.Conversations(b.loop)
	if _, err := talk.Handle(t.Context(), "acme", "talk", command.Meta{ID: "second"}, conversation.ReceiveMessage{MessageID: "m2", Text: "more"}); err != nil {
		t.Fatal(err)
	}
	warm := b.process()
	if _, _, err := aggregates.Conversations(warm.loop).State(t.Context(), "acme", "talk"); err != nil {
		t.Fatal(err)
	}
	b.erase(opened.CustomerID, command.Meta{})
	again := func(b bundle, when string) {
		t.Helper()
		for id, want := range map[string]error{"first": conversation.ErrErased, "third": conversation.ErrErased} {
			if _, err := b.intake.Open(t.Context(), "acme", command.Meta{ID: id, Actor: m.Actor}, r); !errors.Is(err, want) {
				t.Errorf("%s: open by command %s: %v", when, id, err)
			}
		}
		for _, id := range []string{"second", "fourth"} {
			_, err := aggregates.Conversations(b.loop).Handle(t.Context(), "acme", "talk", command.Meta{ID: id}, conversation.ReceiveMessage{MessageID: "m2", Text: "more"})
			if !errors.Is(err, conversation.ErrErased) {
				t.Errorf("%s: a message by command %s: %v", when, id, err)
			}
		}
	}
	if err := b.process().eraser.PurgeConversation(t.Context(), "acme", "talk", command.Meta{}); err != nil {
		t.Fatal(err)
	}
	again(b, "in the process that wrote it")
	again(warm, "where it was read")
	again(b.process(), "in a new process")
	if err := b.eraser.PurgeCustomer(t.Context(), "acme", opened.CustomerID); err != nil {
		t.Fatal(err)
	}
	// The conversation's own purge is not what refuses it: without it the customer's tombstone does.
	if err := b.log.Purge(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "talk"}); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]bundle{"warm": b, "new": b.process()} {
		if _, err := b.intake.Open(t.Context(), "acme", m, r); !errors.Is(err, customer.ErrErased) {
			t.Errorf("%s, by the customer's id: %v", name, err)
		}
	}
}

// TestEraseMany: more than fit in a batch, and the erasure is interrupted after each of its batches.
func TestEraseMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const merged = 600
	customers := aggregates.Customers(b.loop)
	create := customer.Command(customer.Create{Name: "Zoe"})
	for chunk := range slices.Chunk(append([]string{"root"}, numbered(merged)...), 150) {
		_, err := b.loop.Atomic(t.Context(), command.Meta{}, func(tx *command.Tx) error {
			for _, id := range chunk {
				if err := command.Stage(tx, customers, "acme", id, create); err != nil {
					return err
				}
				if id == "root" {
					continue
				}
				if err := command.Stage(tx, customers, "acme", id, customer.Command(customer.MergeInto{IntoID: "root", Reason: "same"})); err != nil {
					return err
				}
				if err := command.Stage(tx, customers, "acme", "root", customer.Command(customer.Absorb{FromID: id, Reason: "same"})); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	failing := &failingLog{Log: b.log}
	m := command.Meta{ID: "cmd"}
	attempts := 0
	for done := false; !done; attempts++ {
		failing.after = attempts
		loop := command.NewLoop(failing, command.Options{})
		_, err := erasure.New(b.log, loop, b.directory, nil).Erase(t.Context(), "acme", "root", m)
		if done = err == nil; !done && !errors.Is(err, errDown) {
			t.Fatal(err)
		}
	}
	if attempts != 3 { // before anything; after 500; the last one does not do these again
		t.Errorf("%d attempts", attempts)
	}
	for _, id := range append(numbered(merged), "root") {
		if list := b.read(events.KindCustomer, id); types(list[len(list)-1:]) != "customer.erased" {
			t.Fatalf("%s has %s", id, types(list))
		}
	}
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("c%d", i)
	}
	return out
}

var errDown = errors.New("the process is gone")

// failingLog takes so many appends and is gone then.
type failingLog struct {
	*eventlog.Log
	after int
}

func (l *failingLog) Append(ctx context.Context, writes ...eventlog.Write) ([]uint64, error) {
	if l.after == 0 {
		return nil, errDown
	}
	l.after--
	return l.Log.Append(ctx, writes...)
}

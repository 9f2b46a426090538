package intake_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type bundle struct {
	log       *eventlog.Log
	directory *directory.Directory
	loop      *command.Loop
	intake    *intake.Intake
	customers *command.Handler[customer.State, customer.Command]
}

// setup is a real log with two orgs, acme and rival, and a directory that follows it.
func setup(t *testing.T) bundle {
	t.Helper()
	log := testkit.Log(t)
	d := directory.New(log, nil)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })

	b := bundle{log: log, directory: d}.process()
	orgs := command.For(b.loop, command.Decider[org.State, org.Command]{Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide})
	for _, id := range []string{"acme", "rival"} {
		got, err := orgs.Handle(t.Context(), id, id, command.Meta{}, org.Create{Name: id, Secret: []byte(id + "--------------------------------")[:32]})
		if err != nil {
			t.Fatal(err)
		}
		b.see(t, got)
	}
	return b
}

// process is another process on the same log: its cache is cold.
func (b bundle) process() bundle {
	b.loop = command.NewLoop(b.log, command.Options{})
	b.intake = intake.New(b.loop, b.directory)
	b.customers = command.For(b.loop, command.Decider[customer.State, customer.Command]{
		Kind: events.KindCustomer, Evolve: customer.Evolve, Decide: customer.Decide,
	})
	return b
}

func (b bundle) see(t *testing.T, r command.Result) {
	t.Helper()
	if err := b.directory.WaitFor(t.Context(), r.Position.Sequence); err != nil {
		t.Fatal(err)
	}
}

func (b bundle) open(t *testing.T, m command.Meta, r intake.Request) intake.Opened {
	t.Helper()
	got, err := b.intake.Open(t.Context(), "acme", m, r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b bundle) customer(t *testing.T, id string) customer.State {
	t.Helper()
	s, _, err := b.customers.State(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func from(c intake.Customer) intake.Request {
	return intake.Request{Channel: events.ChannelChat, Subject: "help", Customer: c, Message: intake.Message{Text: "hello"}}
}

func TestFirstMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := command.Meta{ID: "cmd", Digest: "d", Actor: events.Actor{Type: events.ActorSystem}}
	r := from(intake.Customer{Name: "Zoe", Email: "Zoe@Example.com", Phone: "+49 30 901820"})
	first := b.open(t, m, r)
	if first.Status != events.StatusOpen || first.Replayed || first.Position.Sequence == 0 {
		t.Errorf("%+v", first)
	}
	s := b.customer(t, first.CustomerID)
	if s.Name != "Zoe" || len(s.Identities) != 2 || s.Identities[0].Value != "zoe@example.com" {
		t.Errorf("customer %+v", s)
	}
	end := first.Position.Sequence
	for name, b := range map[string]bundle{"warm": b, "another process": b.process()} {
		again := b.open(t, m, r)
		want := first
		want.Replayed = true
		if again.ConversationID != want.ConversationID || again.CustomerID != want.CustomerID || again.MessageID != want.MessageID ||
			again.Position != want.Position || again.Status != want.Status || !again.Replayed {
			t.Errorf("%s: %+v, want %+v", name, again, want)
		}
		if _, err := b.intake.Open(t.Context(), "acme", command.Meta{ID: "cmd", Digest: "e", Actor: m.Actor}, r); !errors.Is(err, command.ErrKeyReused) {
			t.Errorf("%s: other digest: %v", name, err)
		}
	}
	second := b.open(t, command.Meta{}, from(intake.Customer{Email: "zoe@example.com"}))
	if second.Position.Sequence != end+2 { // opened, received
		t.Errorf("the retries wrote %d events", second.Position.Sequence-end-2)
	}
	if second.CustomerID != first.CustomerID || second.ConversationID == first.ConversationID {
		t.Errorf("by address: %+v", second)
	}
}

func TestNobodyInParticular(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.open(t, command.Meta{}, from(intake.Customer{})), b.open(t, command.Meta{}, from(intake.Customer{}))
	if one.CustomerID == two.CustomerID {
		t.Error("two unknown visitors became one customer")
	}
}

func TestByID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.open(t, command.Meta{}, from(intake.Customer{Email: "zoe@example.com"}))
	got := b.open(t, command.Meta{}, from(intake.Customer{ID: first.CustomerID, Name: "Zoe", X: "@zoe"}))
	if s := b.customer(t, first.CustomerID); got.CustomerID != first.CustomerID || s.Name != "Zoe" || len(s.Identities) != 2 {
		t.Errorf("%+v, %+v", got, s)
	}
	for _, org := range []string{"rival", "acme"} {
		id := first.CustomerID
		if org == "acme" {
			id = "nobody"
		}
		if _, err := b.intake.Open(t.Context(), org, command.Meta{}, from(intake.Customer{ID: id})); !errors.Is(err, customer.ErrNotFound) {
			t.Errorf("%s: %v", org, err)
		}
	}
	if _, err := b.intake.Open(t.Context(), "nowhere", command.Meta{}, from(intake.Customer{})); !errors.Is(err, refusal.ErrOrgNotFound) {
		t.Errorf("no such org: %v", err)
	}
}

func TestTheSameAddressInAnotherOrg(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.open(t, command.Meta{}, from(intake.Customer{Email: "zoe@example.com"}))
	got, err := b.intake.Open(t.Context(), "rival", command.Meta{}, from(intake.Customer{Email: "zoe@example.com"}))
	if err != nil || got.CustomerID == first.CustomerID {
		t.Errorf("%+v, %v", got, err)
	}
}

// The strongest address decides, nothing is taken from anybody, and the message is kept.
func TestAddressesOfDifferentCustomers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	zoe := b.open(t, command.Meta{}, from(intake.Customer{Email: "zoe@example.com"}))
	bob := b.open(t, command.Meta{}, from(intake.Customer{Phone: "+4930901820"}))
	got := b.open(t, command.Meta{}, from(intake.Customer{Email: "zoe@example.com", Phone: "+4930901820", X: "zoe"}))
	if got.CustomerID != zoe.CustomerID || !slices.Equal(got.Elsewhere, []events.IdentityType{events.IdentityPhone}) {
		t.Errorf("%+v", got)
	}
	if s := b.customer(t, zoe.CustomerID); len(s.Identities) != 2 {
		t.Errorf("zoe has %+v", s.Identities)
	}
	if s := b.customer(t, bob.CustomerID); len(s.Identities) != 1 {
		t.Errorf("bob has %+v", s.Identities)
	}
}

func TestMergedAndErasedCustomers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.open(t, command.Meta{}, from(intake.Customer{Email: "old@example.com"}))
	now := b.open(t, command.Meta{}, from(intake.Customer{Email: "now@example.com"}))
	do := func(id string, c customer.Command) {
		t.Helper()
		if _, err := b.customers.Handle(t.Context(), "acme", id, command.Meta{}, c); err != nil {
			t.Fatal(err)
		}
	}
	do(old.CustomerID, customer.MergeInto{IntoID: now.CustomerID})
	for _, c := range []intake.Customer{{ID: old.CustomerID}, {Email: "old@example.com"}} {
		if got := b.open(t, command.Meta{}, from(c)); got.CustomerID != now.CustomerID {
			t.Errorf("%+v is %s, want %s", c, got.CustomerID, now.CustomerID)
		}
	}
	do(now.CustomerID, customer.Erase{})
	if _, err := b.intake.Open(t.Context(), "acme", command.Meta{}, from(intake.Customer{ID: now.CustomerID})); !errors.Is(err, customer.ErrErased) {
		t.Errorf("by the id of who was erased: %v", err)
	}
	got := b.open(t, command.Meta{}, from(intake.Customer{Email: "now@example.com"}))
	if s := b.customer(t, got.CustomerID); got.CustomerID == now.CustomerID || len(s.Identities) != 1 {
		t.Errorf("the address of who was erased: %+v, %+v", got, s)
	}
}

func TestConversationThatExists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := from(intake.Customer{Email: "zoe@example.com"})
	r.ConversationID, r.Message.ID = "c", "m1"
	first := b.open(t, command.Meta{}, r)
	end := first.Position.Sequence
	if got := b.open(t, command.Meta{}, r); got.CustomerID != first.CustomerID || got.Position.Sequence != end {
		t.Errorf("the same content under another command: %+v at %d, want %d", got, got.Position.Sequence, end)
	}
	r.Message = intake.Message{ID: "m2", Text: "and"}
	if got := b.open(t, command.Meta{}, r); got.MessageID != "m2" || got.Position.Sequence != end+1 {
		t.Errorf("one more message: %+v at %d, want %d", got, got.Position.Sequence, end+1)
	}
	r.Customer = intake.Customer{Email: "bob@example.com"}
	if _, err := b.intake.Open(t.Context(), "acme", command.Meta{}, r); !errors.Is(err, conversation.ErrExists) {
		t.Errorf("somebody else's conversation: %v", err)
	}
}

func TestWholeConversation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := time.Date(2019, 5, 15, 8, 19, 0, 0, time.UTC)
	r := from(intake.Customer{X: "zoe"})
	r.ConversationID, r.Message.At = "c", at
	for i := range 30 {
		m := intake.Message{Text: "more", At: at.Add(time.Duration(i+1) * time.Minute)}
		if i%2 == 0 {
			m.Author = events.Actor{Type: events.ActorImport}
		}
		r.More = append(r.More, m)
	}
	b.open(t, command.Meta{ID: "import"}, r)
	all, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: "c"}, 0)
	if err != nil || len(all) != 32 {
		t.Fatalf("%d events, %v", len(all), err)
	}
	for i, e := range all[1:] {
		if !e.Time.Equal(at.Add(time.Duration(i)*time.Minute)) || e.Revision != uint64(i)+2 {
			t.Errorf("message %d at %v, revision %d", i, e.Time, e.Revision)
		}
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	channels := command.For(b.loop, command.Decider[channel.State, channel.Command]{Kind: events.KindChannel, Evolve: channel.Evolve, Decide: channel.Decide})
	do := func(c channel.Command) {
		t.Helper()
		got, err := channels.Handle(t.Context(), "acme", "site", command.Meta{}, c)
		if err != nil {
			t.Fatal(err)
		}
		b.see(t, got)
	}
	r := from(intake.Customer{})
	r.ChannelID = "site"
	fails := func(want error) {
		t.Helper()
		if _, err := b.intake.Open(t.Context(), "acme", command.Meta{}, r); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	fails(refusal.ErrChannelNotFound)
	do(channel.Create{Type: events.ChannelChat, Name: "site", SiteKey: "sk"})
	first := b.open(t, command.Meta{ID: "cmd"}, r)
	do(channel.Disable{})
	fails(refusal.ErrChannelDisabled)
	if again := b.open(t, command.Meta{ID: "cmd"}, r); again.Position != first.Position || !again.Replayed {
		t.Errorf("a retry after the channel was closed: %+v, first %+v", again, first)
	}
}

// Whoever brings one new address at the same moment, in two processes, becomes one customer.
func TestOneAddressAtTheSameMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	processes := []bundle{b, b.process()}
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			m := command.Meta{ID: "cmd-" + strconv.Itoa(i)}
			for {
				got, err := processes[i%2].intake.Open(t.Context(), "acme", m, from(intake.Customer{Email: "zoe@example.com"}))
				if errors.Is(err, command.ErrConflict) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[got.CustomerID]++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("one address became %d customers: %v", len(seen), seen)
	}
}

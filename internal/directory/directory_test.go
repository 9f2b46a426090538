package directory_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// future is an event that this version does not know.
type future struct{}

func (future) EventType() string { return "agent.cloned.v1" }

type bundle struct {
	log  *eventlog.Log
	last map[events.Aggregate]*head
	end  *uint64 // sequence of the newest event
}

type head struct{ sequence, revision uint64 }

func setup(t *testing.T) bundle {
	t.Helper()
	return bundle{log: testkit.Log(t), last: map[events.Aggregate]*head{}, end: new(uint64)}
}

// put writes events of one aggregate and answers the sequence of the last.
func (b bundle) put(t *testing.T, org string, kind events.Kind, id string, all ...events.Event) uint64 {
	t.Helper()
	a := events.Aggregate{Org: org, Kind: kind, ID: id}
	h := b.last[a]
	if h == nil {
		h = &head{}
		b.last[a] = h
	}
	w := eventlog.Write{Aggregate: a, Expected: h.sequence}
	for _, e := range all {
		h.revision++
		w.Drafts = append(w.Drafts, events.Draft{Metadata: events.Metadata{ID: events.NewID(), Revision: h.revision}, Event: e})
	}
	seqs, err := b.log.Append(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	h.sequence, *b.end = seqs[0], seqs[0]
	return seqs[0]
}

// follow runs a directory until the test ends, and waits until it has caught up.
func (b bundle) follow(t *testing.T) *directory.Directory {
	t.Helper()
	d := directory.New(b.log, nil)
	if d.Ready() {
		t.Error("ready before it runs")
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	sees(t, d, *b.end)
	return d
}

func sees(t *testing.T, d *directory.Directory, sequence uint64) {
	t.Helper()
	if err := d.WaitFor(t.Context(), sequence); err != nil {
		t.Fatal(err)
	}
}

var (
	secret = bytes.Repeat([]byte{7}, 32)
	hash   = sha256.Sum256([]byte("the key"))
)

func (b bundle) acme(t *testing.T) {
	t.Helper()
	b.put(t, "acme", events.KindOrg, "acme", events.OrgCreated{Name: "Acme", Secret: secret})
	b.put(t, "acme", events.KindAgent, "ann", events.AgentCreated{Name: "Ann", Email: "ann@acme.example", Role: events.RoleAdmin, Capacity: 3})
	b.put(t, "acme", events.KindKey, "k1", events.KeyIssued{AgentID: "ann", Name: "laptop", Role: events.RoleAdmin, Hash: hash[:]})
}

func TestFoldsHistoryAndFollows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	b.put(t, "acme", events.KindSettings, "settings", events.SettingsDefaultQueueSet{QueueID: "q1"})
	b.put(t, "acme", events.KindQueue, "q1", events.QueueCreated{Name: "Support"}, events.QueueMemberAdded{AgentID: "zed"}, events.QueueMemberAdded{AgentID: "ann"})
	b.put(t, "acme", events.KindConversation, "c", events.ConversationOpened{CustomerID: "zoe", Channel: events.ChannelChat})
	b.put(t, "rival", events.KindOrg, "rival", events.OrgCreated{Name: "Rival", Secret: secret})
	d := b.follow(t)

	if o, ok := d.Org("acme"); !ok || o.Name != "Acme" || len(d.Orgs()) != 2 {
		t.Errorf("org %+v, %v of %d", o, ok, len(d.Orgs()))
	}
	if s := d.Settings("acme"); s.DefaultQueueID != "q1" || s.Timezone != "UTC" {
		t.Errorf("settings %+v", s)
	}
	before, ok := d.Queue("acme", "q1")
	if !ok || !slices.Equal(before.Members, []string{"ann", "zed"}) {
		t.Errorf("queue %+v, %v", before, ok)
	}
	if k, ok := d.Key(hash); !ok || k.AgentID != "ann" || k.OrgID != "acme" || k.Role != events.RoleAdmin {
		t.Errorf("key %+v, %v", k, ok)
	}

	sees(t, d, b.put(t, "acme", events.KindQueue, "q1", events.QueueMemberRemoved{AgentID: "ann"}, events.QueueArchived{}))
	after, _ := d.Queue("acme", "q1")
	if !slices.Equal(after.Members, []string{"zed"}) || !after.Archived {
		t.Errorf("queue %+v", after)
	}
	if !slices.Equal(before.Members, []string{"ann", "zed"}) || before.Archived {
		t.Errorf("an old snapshot changed: %+v", before)
	}
	sees(t, d, b.put(t, "acme", events.KindChannel, "site", events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "sk"}))
	if c, ok := d.ChannelBySiteKey("sk"); !ok || c.ID != "site" {
		t.Errorf("channel %+v, %v", c, ok)
	}
	sees(t, d, b.put(t, "rival", events.KindChannel, "thief", events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "sk"}))
	if c, _ := d.ChannelBySiteKey("sk"); c.OrgID != "acme" {
		t.Error("a site key was taken from its channel")
	}
	sees(t, d, b.put(t, "acme", events.KindRule, "r", events.RuleCreated{Name: "Refunds", RuleDefinition: events.RuleDefinition{On: "conversation.message_received"}}, events.RuleDisabled{}))
	if r := d.Rules("acme"); len(r) != 1 || r[0].Name != "Refunds" || !r[0].Disabled || r[0].On != "conversation.message_received" {
		t.Errorf("rules %+v", r)
	}
	if _, ok := d.Agent("rival", "ann"); ok {
		t.Error("an agent of another org")
	}
}

func TestKeysThatNoLongerWork(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(bundle) (kind events.Kind, id string, e events.Event){
		"revoked": func(bundle) (events.Kind, string, events.Event) { return events.KindKey, "k1", events.KeyRevoked{} },
		"agent deactivated": func(bundle) (events.Kind, string, events.Event) {
			return events.KindAgent, "ann", events.AgentDeactivated{}
		},
		"agent unusable": func(bundle) (events.Kind, string, events.Event) { return events.KindAgent, "ann", future{} },
		"key unusable":   func(bundle) (events.Kind, string, events.Event) { return events.KindKey, "k1", future{} },
		"org unusable":   func(bundle) (events.Kind, string, events.Event) { return events.KindOrg, "acme", future{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.acme(t)
			live := b.follow(t)
			if _, ok := live.Key(hash); !ok {
				t.Fatal("the key does not work to begin with")
			}
			kind, id, e := end(b)
			sees(t, live, b.put(t, "acme", kind, id, e))
			for when, d := range map[string]*directory.Directory{"live": live, "from history": b.follow(t)} {
				if k, ok := d.Key(hash); ok || len(d.Keys("acme")) != 0 {
					t.Errorf("%s: %+v still works", when, k)
				}
				if _, isFuture := e.(future); isFuture && !slices.Contains(d.Unusable(), events.Aggregate{Org: "acme", Kind: kind, ID: id}) {
					t.Errorf("%s: unusable %v", when, d.Unusable())
				}
			}
		})
	}
}

func TestAKeyMayNoMoreThanItsAgent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	d := b.follow(t)
	sees(t, d, b.put(t, "acme", events.KindAgent, "ann", events.AgentRoleSet{Role: events.RoleAgent}))
	if k, ok := d.Key(hash); !ok || k.Role != events.RoleAgent {
		t.Errorf("%+v, %v", k, ok)
	}
}

func TestDerivedKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	b.put(t, "rival", events.KindOrg, "rival", events.OrgCreated{Name: "Rival", Secret: secret}) // even with the same secret
	d := b.follow(t)
	acme, _ := d.Org("acme")
	rival, _ := d.Org("rival")
	if k := acme.DerivedKey("claim"); len(k) != 32 || bytes.Equal(k, acme.DerivedKey("chat-session")) || bytes.Equal(k, rival.DerivedKey("claim")) {
		t.Error("derived keys are not of their purpose and org alone")
	}
	id := acme.ClaimID(events.IdentityEmail, "zoe@example.com")
	if id != "a53847f842f343b25d5db7baaaed82fc" {
		t.Errorf("claim id %q: claims that were taken before would not be found again", id)
	}
	if id == acme.ClaimID(events.IdentityExternalID, "zoe@example.com") || id == rival.ClaimID(events.IdentityEmail, "zoe@example.com") {
		t.Error("claims of two types or two orgs meet")
	}
}

// What is not configuration costs nothing at the start, because it is never read.
func TestUnrelatedEventsAreNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	many := make([]events.Event, 500)
	for i := range many {
		many[i] = events.ConversationTagged{Tag: strconv.Itoa(i)}
	}
	for i := range 10 {
		b.put(t, "acme", events.KindConversation, strconv.Itoa(i), many...)
	}
	var given []events.Recorded
	d := directory.New(spy{b.log, &given}, nil)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.Run(ctx) })
	sees(t, d, *b.end)
	stop()
	wg.Wait()
	if len(given) != 3 {
		t.Errorf("%d events were given, want 3", len(given))
	}
}

type spy struct {
	*eventlog.Log

	given *[]events.Recorded
}

func (s spy) Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error {
	return s.Log.Tail(ctx, f, after, caughtUp, func(r events.Recorded) error {
		*s.given = append(*s.given, r)
		return fn(r)
	})
}

// A directory whose log failed goes on where it was.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	d := directory.New(&broken{Log: b.log}, nil)
	if err := d.Run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	sees(t, d, *b.end)
	if _, ok := d.Key(hash); !ok {
		t.Error("the key is not there after the second run")
	}
	stop()
	wg.Wait()
}

// broken fails after two events, once.
type broken struct {
	*eventlog.Log

	n int
}

func (l *broken) Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error {
	return l.Log.Tail(ctx, f, after, caughtUp, func(r events.Recorded) error {
		if l.n++; l.n == 3 {
			return eventlog.ErrUnavailable
		}
		return fn(r)
	})
}

package ledger

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

var epoch = time.Date(2026, 5, 15, 8, 0, 0, 0, time.UTC)

// minute is a time that many minutes after the epoch.
func minute(n int) time.Time { return epoch.Add(time.Duration(n) * time.Minute) }

// history makes events as the log would give them: one a minute, from minute 1 and sequence 1 on.
type history struct {
	list      []events.Recorded
	revisions map[events.Aggregate]uint64
}

func (h *history) add(org string, kind events.Kind, id string, list ...events.Event) *history {
	if h.revisions == nil {
		h.revisions = map[events.Aggregate]uint64{}
	}
	for _, e := range list {
		a := events.Aggregate{Org: org, Kind: kind, ID: id}
		h.revisions[a]++
		n := len(h.list) + 1
		h.list = append(h.list, events.Recorded{
			Metadata:  events.Metadata{Revision: h.revisions[a], Time: epoch.AddDate(-1, 0, 0)}, // own times mean nothing here
			Aggregate: a, Partition: a.Partition(4), Sequence: uint64(n), Stored: minute(n), Event: e,
		})
	}
	return h
}

func (h *history) conversation(id string, list ...events.Event) *history {
	return h.add("acme", events.KindConversation, id, list...)
}

func (h *history) customer(id string, list ...events.Event) *history {
	return h.add("acme", events.KindCustomer, id, list...)
}

// fold folds all but the last so many events, which come after the head.
func (h *history) fold(q Question, later int) *fold {
	q.Org = "acme"
	head := len(h.list) - later
	f := newFold(q, uint64(head), 4)
	for _, r := range h.list[:head] {
		f.add(r)
	}
	for _, r := range h.list[head:] {
		f.addLater(r)
	}
	return f
}

func opened(customer string) events.Event {
	return events.ConversationOpened{CustomerID: customer, Channel: events.ChannelChat}
}

var (
	received = events.ConversationMessageReceived{MessageID: "m"}
	wrote    = events.ConversationMessageWritten{MessageID: "m"}
	noted    = events.ConversationNoteAdded{NoteID: "n"}
	tagged   = events.ConversationTagged{Tag: "vip"}
)

func TestFold(t *testing.T) {
	t.Parallel()
	type row struct {
		accepted, excused Tally
		received, written uint64
	}
	for _, c := range []struct {
		name  string
		given *history
		q     Question
		later int
		want  map[events.Channel]row
	}{
		{
			"all that was said is counted, by who said it",
			(&history{}).conversation("a", opened("u"), received, wrote, received, noted, tagged),
			Question{},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{1, 3, 1}, received: 2, written: 1}},
		},
		{
			"channels are apart",
			(&history{}).conversation("a", opened("u"), received).
				conversation("b", events.ConversationOpened{CustomerID: "u", Channel: events.ChannelEmail}),
			Question{},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{1, 1, 0}, received: 1}, "email": {accepted: Tally{1, 0, 0}}},
		},
		{
			"one channel is asked for",
			(&history{}).conversation("a", opened("u"), received).
				conversation("b", events.ConversationOpened{CustomerID: "u", Channel: events.ChannelEmail}),
			Question{Channel: events.ChannelEmail},
			0,
			map[events.Channel]row{"email": {accepted: Tally{1, 0, 0}}},
		},
		{
			"another org is none of ours",
			(&history{}).add("other", events.KindConversation, "a", opened("u"), received),
			Question{},
			0,
			map[events.Channel]row{},
		},
		{
			"what is after the head is not counted",
			(&history{}).conversation("a", opened("u"), received, received).conversation("b", opened("u")),
			Question{},
			2,
			map[events.Channel]row{"chat": {accepted: Tally{1, 1, 0}, received: 1}},
		},
		{
			"a merge moves nothing",
			(&history{}).conversation("a", opened("u"), received).conversation("b", opened("u"), received).
				conversation("a", events.ConversationMerged{IntoID: "b"}).conversation("b", events.ConversationAbsorbed{FromID: "a"}, wrote),
			Question{},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{2, 3, 0}, received: 2, written: 1}},
		},
		{
			"an erased customer's conversations are excused, another's are not",
			(&history{}).conversation("a", opened("u"), received).conversation("b", opened("v"), received).
				customer("u", events.CustomerErased{}),
			Question{},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{2, 2, 0}, excused: Tally{1, 1, 0}, received: 2}},
		},
		{
			"who was merged into an erased customer is erased too, in whichever order",
			(&history{}).conversation("a", opened("u"), received).customer("w", events.CustomerErased{}).
				customer("v", events.CustomerMerged{IntoID: "w"}).customer("u", events.CustomerMerged{IntoID: "v"}),
			Question{},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{1, 1, 0}, excused: Tally{1, 1, 0}, received: 1}},
		},
		{
			"a circle of merges ends",
			(&history{}).conversation("a", opened("u")).customer("u", events.CustomerMerged{IntoID: "v"}).customer("v", events.CustomerMerged{IntoID: "u"}),
			Question{},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{1, 0, 0}}},
		},
		{
			"who is erased after the head is excused",
			(&history{}).conversation("a", opened("u"), received).customer("u", events.CustomerErased{}),
			Question{},
			1,
			map[events.Channel]row{"chat": {accepted: Tally{1, 1, 0}, excused: Tally{1, 1, 0}, received: 1}},
		},
		{
			"a beginning that cannot be read was accepted all the same",
			(&history{}).conversation("a", events.Unknown{Type: "conversation.opened.v9"}, received),
			Question{},
			0,
			map[events.Channel]row{"": {accepted: Tally{1, 1, 0}, received: 1}},
		},
		{
			"the window has its beginning and not its end",
			(&history{}).conversation("a", opened("u"), received, wrote, received, noted), // minutes 1 to 5
			Question{From: minute(2), To: minute(4)},
			0,
			map[events.Channel]row{"chat": {accepted: Tally{0, 2, 0}, received: 1, written: 1}},
		},
		{
			"nothing happened in the window",
			(&history{}).conversation("a", opened("u"), received),
			Question{From: minute(2).Add(time.Nanosecond)},
			0,
			map[events.Channel]row{},
		},
		{
			"a read mark or a tag is no account",
			(&history{}).conversation("a", opened("u"), tagged),
			Question{From: minute(2)},
			0,
			map[events.Channel]row{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := map[events.Channel]row{}
			for _, r := range compare(c.given.fold(c.q, c.later), nil).Rows {
				got[r.Channel] = row{accepted: r.Accepted, excused: r.Excused, received: r.Received, written: r.Written}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestPurgedBeginning: the log itself no longer has the first events of a conversation.
func TestPurgedBeginning(t *testing.T) {
	t.Parallel()
	h := (&history{}).conversation("a", opened("u"), received, received)
	h.list = h.list[1:]
	rows := compare(h.fold(Question{}, 0), nil).Rows
	if len(rows) != 1 || rows[0].Excused != (Tally{0, 2, 0}) {
		t.Errorf("%+v", rows)
	}
}

// TestErased: a conversation with a tombstone is excused as long as it is in the log, and nothing once it is purged; a
// model that still shows it has a hole either way.
func TestErased(t *testing.T) {
	t.Parallel()
	h := (&history{}).conversation("a", opened("u"), received, received, events.ConversationErased{Reason: "customer_erased"})
	for _, c := range []struct {
		name string
		list []events.Recorded
		rows int
	}{
		{"whole", h.list, 1},
		{"partly read when it was purged", h.list[1:], 1},
		{"purged", h.list[3:], 0},
	} {
		gone := side{model: "m", shown: map[string]Shown{}}
		shown := side{model: "m", shown: map[string]Shown{"a": {ID: "a", Messages: 2, Sequence: 3}}}
		fold := func() *fold { return (&history{list: c.list}).fold(Question{}, 0) }
		r := compare(fold(), []side{gone})
		if len(r.Rows) != c.rows || r.Total != 0 || c.rows > 0 && r.Rows[0].Excused != r.Rows[0].Accepted {
			t.Errorf("%s: %+v", c.name, r)
		}
		if r := compare(fold(), []side{shown}); r.Total != 1 || !strings.Contains(r.Holes[0].Problem, "is still shown") {
			t.Errorf("%s, and still shown: %+v", c.name, r)
		}
		if ids := fold().asked(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("%s: a model is asked for %v", c.name, ids)
		}
	}
}

// TestWindowsAddUp: the windows of a day hold each event once, also when the clock of the server goes back.
func TestWindowsAddUp(t *testing.T) {
	t.Parallel()
	h := &history{}
	for range 10 {
		h.conversation("a", received, wrote, noted)
	}
	for i := range h.list[10:15] {
		h.list[10+i].Stored = minute(3 + i) // it goes back eight minutes, and on
	}
	var sum Tally
	next := uint64(0)
	for from := 0; from < 40; from += 3 {
		f := h.fold(Question{From: minute(from), To: minute(from + 3)}, 0)
		if f.through > f.after {
			if f.after != next {
				t.Fatalf("the window from minute %d begins after %d, the one before ended at %d", from, f.after, next)
			}
			next = f.through
		}
		for _, r := range compare(f, nil).Rows {
			sum.add(r.Accepted)
		}
	}
	if want := (Tally{1, 20, 10}); sum != want || next != 30 {
		t.Errorf("the windows have %+v and end at %d, want %+v", sum, next, want)
	}
}

func TestNeedsAreOfTheOrgAlone(t *testing.T) {
	t.Parallel()
	h := (&history{}).conversation("a", opened("u"), received).customer("u", events.CustomerRenamed{}).
		add("acme", events.KindAgent, "ann", events.AgentRenamed{}).add("other", events.KindConversation, "b", opened("u"))
	f := h.fold(Question{}, 0)
	want := make([]uint64, 4)
	for _, r := range h.list[:3] {
		want[r.Partition] = r.Sequence
	}
	if !reflect.DeepEqual(f.needs, want) {
		t.Errorf("got %v, want %v", f.needs, want)
	}
	known := make([]uint64, 4) // who shows customers waits for no conversation
	known[h.list[2].Partition] = h.list[2].Sequence
	if !reflect.DeepEqual(f.known, known) {
		t.Errorf("got %v, want %v", f.known, known)
	}
}

func parkedAt(id string, sequence uint64) map[string]projections.Parked {
	a := events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}
	return map[string]projections.Parked{a.String(): {Aggregate: a, Sequence: sequence, Type: "conversation.tagged.v1"}}
}

package conversation_test

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

var (
	noon   = time.Date(2019, 5, 15, 12, 0, 0, 0, time.UTC)
	ann    = events.Actor{Type: events.ActorAgent, ID: "ann"}
	zoe    = events.Actor{Type: events.ActorCustomer, ID: "zoe"}
	opened = events.ConversationOpened{CustomerID: "zoe", Channel: events.ChannelChat, Subject: "help"}
	m1     = events.ConversationMessageReceived{MessageID: "m1", CustomerID: "zoe", Text: "hello"}
	m2     = events.ConversationMessageWritten{MessageID: "m2", Author: ann, Text: "hi"}
	queued = events.ConversationQueued{QueueID: "q1", Reason: "default"}
	given  = events.ConversationAssigned{AgentID: "ann", Reason: "idle"}
	slept  = events.ConversationSnoozed{Until: noon.Add(time.Hour)}
	closed = events.ConversationClosed{Reason: "solved"}
	merged = events.ConversationMerged{IntoID: "other", Reason: "same"}
)

type row struct {
	name  string
	given []events.Event
	when  conversation.Command
	then  []events.Event // none: nothing new
	err   error
}

func has(all ...events.Event) []events.Event { return append([]events.Event{opened}, all...) }
func is(all ...events.Event) []events.Event  { return all }

func fold(all []events.Event) conversation.State {
	var s conversation.State
	for _, e := range all {
		s = conversation.Evolve(s, e)
	}
	return s
}

func run(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			got, err := conversation.Decide(fold(r.given), r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	open := conversation.Open{CustomerID: "zoe", Channel: events.ChannelChat, Subject: " help "}
	run(t, []row{
		{"new", nil, open, is(opened), nil},
		{"again", has(m1), open, nil, nil},
		{"for somebody else", has(), conversation.Open{CustomerID: "bob", Channel: events.ChannelChat}, nil, conversation.ErrExists},
		{"on no channel", nil, conversation.Open{CustomerID: "zoe", Channel: "pigeon"}, nil, refusal.ErrChannelInvalid},
		{"for nobody", nil, conversation.Open{Channel: events.ChannelChat}, nil, refusal.ErrIDInvalid},
		{"channel id", nil, conversation.Open{CustomerID: "zoe", Channel: events.ChannelChat, ChannelID: "a.b"}, nil, refusal.ErrIDInvalid},
		{"long subject", nil, conversation.Open{CustomerID: "zoe", Channel: events.ChannelChat, Subject: strings.Repeat("x", 501)}, nil, refusal.ErrTextInvalid},
		{"everything else needs one", nil, conversation.Close{}, nil, conversation.ErrNotFound},
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	receive := conversation.ReceiveMessage{MessageID: "m1", Text: "hello"}
	write := conversation.WriteMessage{MessageID: "m2", Author: ann, Text: "hi"}
	text := func(s string) conversation.Command { return conversation.ReceiveMessage{MessageID: "m9", Text: s} }
	run(t, []row{
		{"in", has(), receive, is(m1), nil},
		{"in twice", has(m1), receive, nil, nil},
		{"in from a named customer", has(), conversation.ReceiveMessage{MessageID: "m1", CustomerID: "bob", Text: "hello"}, is(events.ConversationMessageReceived{MessageID: "m1", CustomerID: "bob", Text: "hello"}), nil},
		{"in reopens", has(closed), receive, is(m1, events.ConversationReopened{Reason: "customer_wrote"}), nil},
		{"in wakes", has(slept), receive, is(m1, events.ConversationWoke{Reason: "customer_wrote"}), nil},
		{"in on merged", has(merged), receive, nil, conversation.ErrMerged},
		{"in twice on merged", has(m1, merged), receive, nil, nil},
		{"in without an id", has(), conversation.ReceiveMessage{Text: "hello"}, nil, refusal.ErrIDInvalid},
		{"out", has(), write, is(m2), nil},
		{"out twice", has(m2), write, nil, nil},
		{"out twice on merged", has(m2, merged), write, nil, nil},
		{"out on closed leaves it closed", has(closed), write, is(m2), nil},
		{"out on snoozed lets it sleep", has(slept), write, is(m2), nil},
		{"out by nobody", has(), conversation.WriteMessage{MessageID: "m2", Text: "hi"}, nil, refusal.ErrActorInvalid},
		{"out by an automation", has(), conversation.WriteMessage{MessageID: "m2", Author: events.Actor{Type: events.ActorWorkflow}, Text: "hi"}, is(events.ConversationMessageWritten{MessageID: "m2", Author: events.Actor{Type: events.ActorWorkflow}, Text: "hi"}), nil},
		{"one id for in and out", has(m1), conversation.WriteMessage{MessageID: "m1", Author: ann, Text: "hi"}, nil, nil},
		{"empty", has(), text(""), nil, refusal.ErrTextInvalid},
		{"blank", has(), text(" \n\t"), nil, refusal.ErrTextInvalid},
		{"longest", has(), text(strings.Repeat("ü", 10_000)), is(events.ConversationMessageReceived{MessageID: "m9", CustomerID: "zoe", Text: strings.Repeat("ü", 10_000)}), nil},
		{"too long", has(), text(strings.Repeat("ü", 10_001)), nil, refusal.ErrTextInvalid},
		{"not UTF-8", has(), text("a\xff"), nil, refusal.ErrTextInvalid},
		{"control character", has(), text("a\x00b"), nil, refusal.ErrTextInvalid},
		{"lines and tabs", has(), text("a\r\n\tb"), is(events.ConversationMessageReceived{MessageID: "m9", CustomerID: "zoe", Text: "a\r\n\tb"}), nil},
	})
}

func TestNotesAndFields(t *testing.T) {
	t.Parallel()
	note := conversation.AddNote{NoteID: "n1", Author: ann, Text: "careful"}
	noted := events.ConversationNoteAdded{NoteID: "n1", Author: ann, Text: "careful"}
	vip := events.ConversationTagged{Tag: "vip"}
	many := has()
	for i := range conversation.MaxTags {
		many = append(many, events.ConversationTagged{Tag: "t" + strconv.Itoa(i)})
	}
	set := func(m map[string]any) conversation.Command { return conversation.SetAttributes{Attributes: m} }
	plan := events.ConversationAttributesSet{Attributes: map[string]any{"plan": "pro", "seats": 3.0}}
	big := map[string]any{}
	for i := range 101 {
		big["a"+strconv.Itoa(i)] = true
	}
	run(t, []row{
		{"note", has(), note, is(noted), nil},
		{"note twice", has(noted), note, nil, nil},
		{"note on closed", has(closed), note, is(noted), nil},
		{"note on merged", has(merged), note, nil, conversation.ErrMerged},
		{"subject", has(), conversation.SetSubject{Subject: "refund"}, is(events.ConversationSubjectSet{Subject: "refund"}), nil},
		{"same subject", has(), conversation.SetSubject{Subject: "help"}, nil, nil},
		{"subject of two lines", has(), conversation.SetSubject{Subject: "a\nb"}, nil, refusal.ErrTextInvalid},
		{"priority", has(), conversation.SetPriority{Priority: events.PriorityHigh}, is(events.ConversationPrioritySet{Priority: events.PriorityHigh, Reason: "unspecified"}), nil},
		{"same priority", has(), conversation.SetPriority{Priority: events.PriorityNormal}, nil, nil},
		{"no priority", has(), conversation.SetPriority{Priority: "asap"}, nil, refusal.ErrPriorityInvalid},
		{"tag", has(), conversation.Tag{Tag: " VIP "}, is(vip), nil},
		{"tag twice", has(vip), conversation.Tag{Tag: "vip"}, nil, nil},
		{"tag with a comma", has(), conversation.Tag{Tag: "a,b"}, nil, refusal.ErrTagInvalid},
		{"no tag", has(), conversation.Tag{}, nil, refusal.ErrTagInvalid},
		{"too many tags", many, conversation.Tag{Tag: "vip"}, nil, refusal.ErrConversationTags},
		{"untag", has(vip), conversation.Untag{Tag: "Vip"}, is(events.ConversationUntagged{Tag: "vip"}), nil},
		{"untag what is not there", has(), conversation.Untag{Tag: "vip"}, nil, nil},
		{"attributes", has(), set(map[string]any{"plan": "pro", "seats": 3, "gone": nil}), is(plan), nil},
		{"same attributes", has(plan), set(map[string]any{"plan": "pro", "seats": 3.0}), nil, nil},
		{"null removes", has(plan), set(map[string]any{"plan": nil, "seats": 3}), is(events.ConversationAttributesSet{Attributes: map[string]any{"plan": nil}}), nil},
		{"attribute list", has(), set(map[string]any{"a": []any{1}}), nil, refusal.ErrAttributesInvalid},
		{"attribute NaN", has(), set(map[string]any{"a": math.NaN()}), nil, refusal.ErrAttributesInvalid},
		{"attribute infinity", has(), set(map[string]any{"a": math.Inf(1)}), nil, refusal.ErrAttributesInvalid},
		{"attribute name", has(), set(map[string]any{"a b": 1}), nil, refusal.ErrAttributesInvalid},
		{"too many attributes", has(), set(big), nil, refusal.ErrAttributesInvalid},
		{"long attribute", has(), set(map[string]any{"a": strings.Repeat("x", 1001)}), nil, refusal.ErrTextInvalid},
	})
}

func TestWork(t *testing.T) {
	t.Parallel()
	route := conversation.RouteTo{QueueID: "q1", AgentID: "ann", Reason: "idle"}
	run(t, []row{
		{"queue", has(), conversation.Queue{QueueID: "q1", Reason: "default"}, is(queued), nil},
		{"same queue", has(queued), conversation.Queue{QueueID: "q1"}, nil, nil},
		{"same queue keeps the agent", has(queued, given), conversation.Queue{QueueID: "q1"}, nil, nil},
		{"first queue keeps the agent", has(given), conversation.Queue{QueueID: "q1", Reason: "default"}, is(queued), nil},
		{"another queue takes it from its agent", has(queued, given), conversation.Queue{QueueID: "q2", Reason: "escalated"}, is(events.ConversationUnassigned{AgentID: "ann", Reason: "queued"}, events.ConversationQueued{QueueID: "q2", Reason: "escalated"}), nil},
		{"queue on closed", has(closed), conversation.Queue{QueueID: "q1"}, nil, conversation.ErrClosed},
		{"assign", has(queued), conversation.Assign{AgentID: "ann", Reason: "idle"}, is(given), nil},
		{"assign again", has(given), conversation.Assign{AgentID: "ann"}, nil, nil},
		{"assign to another", has(given), conversation.Assign{AgentID: "bob", Reason: "shift"}, is(events.ConversationAssigned{AgentID: "bob", Reason: "shift"}), nil},
		{"assign on snoozed", has(slept), conversation.Assign{AgentID: "ann", Reason: "idle"}, is(given), nil},
		{"assign on closed", has(closed), conversation.Assign{AgentID: "ann"}, nil, conversation.ErrClosed},
		{"assign to nobody", has(), conversation.Assign{}, nil, refusal.ErrIDInvalid},
		{"unassign", has(queued, given), conversation.Unassign{Reason: "offline"}, is(events.ConversationUnassigned{AgentID: "ann", Reason: "offline"}), nil},
		{"unassign nobody", has(), conversation.Unassign{}, nil, nil},
		{"unassign from", has(given), conversation.UnassignFrom{AgentID: "ann", Reason: "offline"}, is(events.ConversationUnassigned{AgentID: "ann", Reason: "offline"}), nil},
		{"unassign from who no longer has it", has(given), conversation.UnassignFrom{AgentID: "bob"}, nil, nil},
		{"route", has(queued), route, is(given), nil},
		{"route again", has(queued, given), route, nil, nil},
		{"route what another has", has(queued, events.ConversationAssigned{AgentID: "bob"}), route, nil, conversation.ErrAssigned},
		{"route out of another queue", has(events.ConversationQueued{QueueID: "q2"}), route, nil, conversation.ErrNotInQueue},
		{"route what sleeps", has(queued, slept), route, nil, conversation.ErrSnoozed},
		{"route what is closed", has(queued, closed), route, nil, conversation.ErrClosed},
		{"route what was closed with its agent", has(queued, given, closed), route, nil, conversation.ErrClosed},
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	snooze := conversation.Snooze{Until: noon.Add(time.Hour), Now: noon}
	run(t, []row{
		{"snooze", has(), snooze, is(slept), nil},
		{"snooze again", has(slept), conversation.Snooze{Until: noon.Add(time.Hour), Now: noon.Add(2 * time.Hour)}, nil, nil},
		{"snooze for longer", has(slept), conversation.Snooze{Until: noon.Add(2 * time.Hour), Now: noon}, is(events.ConversationSnoozed{Until: noon.Add(2 * time.Hour)}), nil},
		{"snooze into the past", has(), conversation.Snooze{Until: noon, Now: noon}, nil, refusal.ErrSnoozeInvalid},
		{"snooze for an age", has(), conversation.Snooze{Until: noon.AddDate(11, 0, 0), Now: noon}, nil, refusal.ErrSnoozeInvalid},
		{"snooze on closed", has(closed), snooze, nil, conversation.ErrClosed},
		{"wake", has(slept), conversation.Wake{Reason: "due"}, is(events.ConversationWoke{Reason: "due"}), nil},
		{"wake what is awake", has(), conversation.Wake{}, nil, nil},
		{"wake what was closed meanwhile", has(slept, closed), conversation.Wake{}, nil, nil},
		{"close", has(given), conversation.Close{Reason: "solved"}, is(closed), nil},
		{"close what sleeps", has(slept), conversation.Close{Reason: "solved"}, is(closed), nil},
		{"close again", has(closed), conversation.Close{}, nil, nil},
		{"reopen", has(closed), conversation.Reopen{Reason: "not yet"}, is(events.ConversationReopened{Reason: "not yet"}), nil},
		{"reopen what is open", has(), conversation.Reopen{}, nil, nil},
		{"reopen what sleeps", has(slept), conversation.Reopen{Reason: "now"}, is(events.ConversationWoke{Reason: "now"}), nil},
		{"long reason", has(), conversation.Close{Reason: strings.Repeat("x", 201)}, nil, refusal.ErrTextInvalid},
	})
	if s := fold(has(given, closed)); s.AssigneeID != "ann" || s.Active() {
		t.Errorf("a closed conversation keeps its agent and is nobody's load: %+v", s)
	}
}

func TestReadMarks(t *testing.T) {
	t.Parallel()
	mark := events.ConversationReadUpTo{Reader: ann, MessageID: "m2"}
	run(t, []row{
		{"first", has(m1, m2), conversation.MarkRead{Reader: ann, MessageID: "m1"}, is(events.ConversationReadUpTo{Reader: ann, MessageID: "m1"}), nil},
		{"again", has(m1, m2, mark), conversation.MarkRead{Reader: ann, MessageID: "m2"}, nil, nil},
		{"back", has(m1, m2, mark), conversation.MarkRead{Reader: ann, MessageID: "m1"}, nil, nil},
		{"another reader", has(m1, m2, mark), conversation.MarkRead{Reader: zoe, MessageID: "m1"}, is(events.ConversationReadUpTo{Reader: zoe, MessageID: "m1"}), nil},
		{"no such message", has(m1), conversation.MarkRead{Reader: ann, MessageID: "m2"}, nil, conversation.ErrMessageUnknown},
		{"no such reader", has(m1), conversation.MarkRead{Reader: events.Actor{Type: "ghost"}, MessageID: "m1"}, nil, refusal.ErrActorInvalid},
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	absorbed := events.ConversationAbsorbed{FromID: "old", Reason: "same"}
	run(t, []row{
		{"into", has(), conversation.MergeInto{IntoID: "other", Reason: "same"}, is(merged), nil},
		{"into again", has(merged), conversation.MergeInto{IntoID: "other"}, nil, nil},
		{"into a third", has(merged), conversation.MergeInto{IntoID: "third"}, nil, conversation.ErrMerged},
		{"into what it absorbed", has(absorbed), conversation.MergeInto{IntoID: "old"}, nil, refusal.ErrMergeIntoItself},
		{"absorb", has(), conversation.Absorb{FromID: "old", Reason: "same"}, is(absorbed), nil},
		{"absorb again", has(absorbed), conversation.Absorb{FromID: "old"}, nil, nil},
		{"absorb when merged", has(merged), conversation.Absorb{FromID: "old"}, nil, conversation.ErrMerged},
		{"anything when merged", has(merged), conversation.Tag{Tag: "vip"}, nil, conversation.ErrMerged},
	})
	_, err := conversation.Decide(fold(has(merged)), conversation.Reopen{})
	if err == nil || !strings.Contains(err.Error(), "conversation other") {
		t.Errorf("%v does not name where it goes on", err)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	erased := events.ConversationErased{Reason: "customer_erased"}
	erase := conversation.Erase{Reason: "customer_erased"}
	run(t, []row{
		{"erase", has(m1, given), erase, is(erased), nil},
		{"what was merged", has(merged), erase, is(erased), nil},
		{"what is closed", has(closed), erase, is(erased), nil},
		{"again", has(erased), erase, nil, nil},
		{"again when nothing else is left", is(erased), erase, nil, nil},
		{"nothing", nil, erase, nil, conversation.ErrNotFound},
		{"for too long a reason", has(), conversation.Erase{Reason: strings.Repeat("x", 201)}, nil, refusal.ErrTextInvalid},
		{"open again", has(erased), conversation.Open{CustomerID: "zoe", Channel: events.ChannelChat}, nil, conversation.ErrErased},
		{"open again when nothing else is left", is(erased), conversation.Open{CustomerID: "bob", Channel: events.ChannelChat}, nil, conversation.ErrErased},
		{"a message again", has(m1, erased), conversation.ReceiveMessage{MessageID: "m1", Text: "hello"}, nil, conversation.ErrErased},
		{"anything when merged and erased", has(merged, erased), conversation.Close{}, nil, conversation.ErrErased},
	})
	whole, left := fold(has(m1, given, erased)), fold(is(erased))
	if !reflect.DeepEqual(whole, left) || whole.Active() {
		t.Errorf("%+v before the purge, %+v after it", whole, left)
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = conversation.Decide(fold(has()), nil)
}

package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

var (
	onSite = events.ConversationOpened{CustomerID: "u", Channel: events.ChannelChat, ChannelID: "site"}
	closed = events.ConversationClosed{Reason: "solved"}
	again  = events.ConversationReopened{Reason: "x"}
	ask1   = events.ConversationSurveyRequested{SurveyID: "s1", Closing: 1}
	ask2   = events.ConversationSurveyRequested{SurveyID: "s2", Closing: 2}
	spare1 = events.ConversationSurveyExcused{SurveyID: "s1", Closing: 1, Reason: "reopened"}
	reply1 = events.ConversationSurveyAnswered{SurveyID: "s1", Score: 5}
	end1   = events.ConversationSurveyExpired{SurveyID: "s1"}
	gone   = events.ConversationErased{Reason: "asked"}
)

// TestSurveys has one conversation of a site that asks since event 1; its own events begin at 2.
func TestSurveys(t *testing.T) {
	t.Parallel()
	waits := func(keys ...string) *todo {
		out := &todo{model: "survey", failed: map[string]bool{}}
		for _, k := range keys {
			name, failed := strings.CutPrefix(k, "failed ")
			out.failed[name] = failed
		}
		return out
	}
	for _, c := range []struct {
		name    string
		events  []events.Event
		q       Question
		later   int
		todo    *todo
		want    Surveys
		problem string // "": no hole
	}{
		{name: "nothing was closed", events: is(onSite, received), todo: waits()},
		{name: "asked", events: is(onSite, closed, ask1), todo: waits("s1"), want: Surveys{Owed: 1, Waiting: 1}},
		{name: "answered", events: is(onSite, closed, ask1, reply1), todo: waits(), want: Surveys{Owed: 1, Answered: 1}},
		{name: "expired", events: is(onSite, closed, ask1, end1), todo: waits(), want: Surveys{Owed: 1, Expired: 1}},
		{name: "excused", events: is(onSite, closed, again, spare1), todo: waits(), want: Surveys{Owed: 1, Excused: 1}},
		{name: "excused after it was asked", events: is(onSite, closed, ask1, again, spare1), todo: waits(), want: Surveys{Owed: 1, Excused: 1}},
		{name: "each closing for itself", events: is(onSite, closed, again, spare1, closed, ask2), todo: waits("s2"), want: Surveys{Owed: 2, Excused: 1, Waiting: 1}},
		{name: "about to be asked", events: is(onSite, closed), todo: waits("a"), want: Surveys{Owed: 1, InFlight: 1}},
		{name: "nobody can tell", events: is(onSite, closed), want: Surveys{Owed: 1, InFlight: 1}},
		{name: "nobody can tell of a timer", events: is(onSite, closed, ask1), want: Surveys{Owed: 1, Waiting: 1}},
		{
			name: "forgotten", events: is(onSite, closed), todo: waits(), want: Surveys{Owed: 1, Missing: 1},
			problem: "was closed at event 3 and neither asked about nor excused",
		},
		{
			name: "only the second was asked", events: is(onSite, closed, again, closed, ask2), todo: waits("s2"), want: Surveys{Owed: 2, Waiting: 1, Missing: 1},
			problem: "was closed at event 3 and neither",
		},
		{name: "given up", events: is(onSite, closed), todo: waits("failed a"), want: Surveys{Owed: 1, Missing: 1}, problem: "asking about it was given up"},
		{name: "without a timer", events: is(onSite, closed, ask1), todo: waits(), want: Surveys{Owed: 1, Waiting: 1}, problem: "was asked at event 4 and has no timer"},
		{name: "the timer was given up", events: is(onSite, closed, ask1), todo: waits("failed s1"), want: Surveys{Owed: 1, Waiting: 1}, problem: "the end of that was given up"},
		{name: "asked after the head", events: is(onSite, closed, ask1), later: 1, todo: waits(), want: Surveys{Owed: 1, Waiting: 1}},
		{name: "closed again after the head", events: is(onSite, closed, again, spare1, closed), later: 3, todo: waits(), want: Surveys{Owed: 1, Excused: 1}},
		{name: "erased", events: is(onSite, closed, gone), todo: waits()},
		{name: "before the window", events: is(onSite, closed), q: Question{From: minute(4)}, todo: waits()},
		{name: "after the window", events: is(onSite, closed), q: Question{To: minute(3)}, todo: waits()},
		{name: "of mail", events: is(events.ConversationOpened{CustomerID: "u", Channel: events.ChannelEmail, ChannelID: "site"}, closed), todo: waits()},
		{name: "of another channel", events: is(events.ConversationOpened{CustomerID: "u", Channel: events.ChannelChat, ChannelID: "quiet"}, closed), todo: waits()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := (&history{}).add("acme", events.KindChannel, "site", events.ChannelSurveySet{Enabled: true}).conversation("a", c.events...)
			f := h.fold(c.q, c.later)
			f.surveyed, f.owing = true, c.todo
			r := compare(f, nil)
			if *r.Surveys != c.want {
				t.Errorf("%+v, want %+v", *r.Surveys, c.want)
			}
			switch {
			case c.problem == "" && r.Total == 0:
			case c.problem == "" || r.Total != 1 || !strings.Contains(r.Holes[0].Problem, c.problem):
				t.Errorf("holes %+v, want %q", r.Holes, c.problem)
			case r.Holes[0].Model != "survey" || r.Holes[0].ConversationID != "a":
				t.Errorf("%+v", r.Holes[0])
			}
		})
	}
}

func is(all ...events.Event) []events.Event { return all }

// The setting counts that was in force for the closing; what was imported owes nothing.
func TestSurveysOwedByTheSetting(t *testing.T) {
	t.Parallel()
	h := &history{}
	site := func(on bool) { h.add("acme", events.KindChannel, "site", events.ChannelSurveySet{Enabled: on}) }
	h.conversation("before", onSite, closed)
	site(true)
	h.conversation("while", onSite, closed)
	h.conversation("imported", onSite, closed)
	h.list[len(h.list)-1].Actor = events.Actor{Type: events.ActorImport}
	site(false)
	h.conversation("after", onSite, closed)
	f := h.fold(Question{}, 0)
	f.surveyed, f.owing = true, &todo{model: "survey"}
	if r := compare(f, nil); *r.Surveys != (Surveys{Owed: 1, Missing: 1}) || r.Total != 1 || r.Holes[0].ConversationID != "while" {
		t.Errorf("%+v, holes %+v", *r.Surveys, r.Holes)
	}
}

// surveyor is a reactor that counts who asks it.
type surveyor struct {
	asked   int
	behind  error
	pending []string
}

func (*surveyor) Name() string { return "survey" }

func (s *surveyor) Await(context.Context, []uint64, time.Duration) error {
	s.asked++
	return s.behind
}

func (*surveyor) Lag(context.Context) (projections.AsOf, error)        { return projections.AsOf{}, nil }
func (*surveyor) Parked(context.Context) ([]projections.Parked, error) { return nil, nil }

func (s *surveyor) Pending(_ context.Context, _ string, fn func(key string, failed bool)) error {
	for _, k := range s.pending {
		fn(k, false)
	}
	return nil
}

func TestTheReactorIsAskedWhenSomethingIsOpen(t *testing.T) {
	t.Parallel()
	site := func() *history {
		return (&history{}).add("acme", events.KindChannel, "site", events.ChannelSurveySet{Enabled: true})
	}
	s := &surveyor{}
	l := &Ledger{Surveyor: s}
	settled := site().conversation("a", onSite, closed, ask1, reply1).conversation("b", onSite, closed, gone).fold(Question{}, 0)
	if out, err := l.todo(t.Context(), settled); err != nil || out == nil || s.asked != 0 {
		t.Errorf("%v, %v; asked %d times, although the log says all", out, err, s.asked)
	}
	open := site().conversation("a", onSite, closed).fold(Question{}, 0)
	s.pending = []string{"a"}
	if out, err := l.todo(t.Context(), open); err != nil || len(out.failed) != 1 || s.asked != 1 {
		t.Errorf("%v, %v; asked %d times", out, err, s.asked)
	}
	s.behind = errors.New("away")
	if out, err := l.todo(t.Context(), open); out != nil || !errors.Is(err, s.behind) {
		t.Errorf("%v, %v", out, err)
	}
	for _, c := range []struct {
		q    Question
		want bool
	}{
		{Question{}, true},
		{Question{Channel: events.ChannelChat}, true},
		{Question{Channel: events.ChannelEmail}, false},
		{Question{Models: []string{"inbox"}}, false},
		{Question{Models: []string{"inbox", "survey"}}, true},
	} {
		if got := l.surveyed(c.q); got != c.want {
			t.Errorf("%+v: %t", c.q, got)
		}
	}
}

package directory

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
)

// What a channel asked for when an event happened does not change afterwards.
func TestSurveyAt(t *testing.T) {
	t.Parallel()
	o := newModel().org("org")
	set := func(sequence uint64, e events.ChannelSurveySet) {
		o.applyChannel(events.Recorded{
			Aggregate: events.Aggregate{Org: "org", Kind: events.KindChannel, ID: "site"}, Sequence: sequence, Event: e,
		})
	}
	set(3, events.ChannelSurveySet{Enabled: true, Question: "one"})
	set(5, events.ChannelSurveySet{Question: "one"})
	early := *o.channels["site"]
	set(9, events.ChannelSurveySet{Enabled: true, Question: "two"})
	c := *o.channels["site"]
	for sequence, want := range map[uint64]string{2: "", 3: "", 4: "one", 5: "one", 6: "", 9: "", 10: "two"} {
		got, on := c.SurveyAt(sequence)
		if on != (want != "") || on && got.Question != want {
			t.Errorf("at %d: %+v, %t; want %q", sequence, got, on, want)
		}
		if before, was := early.SurveyAt(sequence); sequence < 9 && (was != on || before != got) {
			t.Errorf("at %d it changed: %+v", sequence, before)
		}
	}
	if c.Survey.Question != "two" {
		t.Errorf("in force now: %+v", c.Survey)
	}
}

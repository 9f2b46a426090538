package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// Surveyor is the reactor that asks visitors how it went. What came of a survey is in the log; it is asked for the rest:
// what it still has to do.
type Surveyor interface {
	Name() string
	Await(ctx context.Context, through []uint64, longest time.Duration) error
	Lag(ctx context.Context) (projections.AsOf, error)
	Parked(ctx context.Context) ([]projections.Parked, error)
	// Pending hands over what waits to be done, or was given up, for an org: by conversation for who is to be asked, by
	// survey for a timer.
	Pending(ctx context.Context, org string, fn func(key string, failed bool)) error
}

// Surveys is the account of the surveys: Owed = Waiting + Answered + Expired + Excused + InFlight + Missing.
type Surveys struct {
	Owed     uint64 // closings in the window whose channel asked for a survey then, those of erased customers apart
	Waiting  uint64 // the visitor was asked and may still answer
	Answered uint64
	Expired  uint64
	Excused  uint64
	InFlight uint64 // about to be asked, or nobody can tell because the reactor is behind
	Missing  uint64 // neither asked nor excused, and nobody is about to
}

// closing is one closing of a chat conversation, and what became of the survey about it.
type closing struct {
	sequence uint64
	owed, in bool // a survey was; it is in the window
	survey   string
	asked    uint64 // sequence of the request; 0: there is none
	outcome  outcome
}

// outcome is what became of a survey.
type outcome byte

const (
	undecided outcome = iota
	waiting
	answered
	expired
	excused
)

// setting notes what a channel asks for from now on.
func (f *fold) setting(r events.Recorded) {
	if e, ok := r.Event.(events.ChannelSurveySet); ok {
		f.asking[r.Aggregate.ID] = e.Enabled
	}
}

// close counts a closing. What was imported is history, and owes nothing.
func (f *fold) close(c *conversation, r events.Recorded) {
	if c.channel != events.ChannelChat || c.channelID == "" {
		return
	}
	c.closings = append(c.closings, closing{
		sequence: r.Sequence, in: f.begun && !f.ended,
		owed: f.asking[c.channelID] && r.Actor.Type != events.ActorImport,
	})
}

// survey notes what became of a survey. It is asked of events after the head, too: they settle what the head left open.
func (c *conversation) survey(r events.Recorded) {
	by := func(match func(*closing) bool, change func(*closing)) {
		for i := range c.closings {
			if match(&c.closings[i]) {
				change(&c.closings[i])
			}
		}
	}
	number := func(n int) func(*closing) bool {
		return func(at *closing) bool { return n >= 1 && n <= len(c.closings) && at == &c.closings[n-1] }
	}
	named := func(id string) func(*closing) bool {
		return func(at *closing) bool { return at.survey == id }
	}
	switch e := r.Event.(type) {
	case events.ConversationSurveyRequested:
		by(number(e.Closing), func(at *closing) { at.survey, at.asked, at.outcome = e.SurveyID, r.Sequence, waiting })
	case events.ConversationSurveyExcused:
		by(number(e.Closing), func(at *closing) { at.survey, at.outcome = e.SurveyID, excused })
	case events.ConversationSurveyAnswered:
		by(named(e.SurveyID), func(at *closing) { at.outcome = answered })
	case events.ConversationSurveyExpired:
		by(named(e.SurveyID), func(at *closing) { at.outcome = expired })
	}
}

// open tells whether the log alone does not say that all is well with some survey of the window.
func (f *fold) open() bool {
	for _, c := range f.conversations {
		if c.erased == 0 && slices.ContainsFunc(c.closings, func(at closing) bool { return at.owed && at.in && at.outcome <= waiting }) {
			return true
		}
	}
	return false
}

// todo is what the reactor has to do; nil when it could not be asked.
type todo struct {
	model  string
	parked map[string]projections.Parked
	failed map[string]bool // by key: it was given up; false: it waits
}

// todo asks the reactor, unless nothing is open: what is settled in the log needs nobody's word.
func (l *Ledger) todo(ctx context.Context, f *fold) (*todo, error) {
	out := &todo{model: l.Surveyor.Name(), parked: map[string]projections.Parked{}, failed: map[string]bool{}}
	if !f.open() {
		return out, nil
	}
	if err := l.Surveyor.Await(ctx, f.needs, l.patience()); err != nil {
		return nil, err
	}
	parked, err := l.Surveyor.Parked(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range parked {
		out.parked[p.Key()] = p
	}
	if err := l.Surveyor.Pending(ctx, f.ask.Org, func(key string, failed bool) { out.failed[key] = out.failed[key] || failed }); err != nil {
		return nil, err
	}
	return out, nil
}

// surveys draws up the account of the surveys. A survey that waits must have a timer, or it would never end.
func (c *comparison) surveys() *Surveys {
	out := &Surveys{}
	for _, id := range slices.Sorted(maps.Keys(c.conversations)) {
		conv := c.conversations[id]
		if gone, _ := c.excused(conv); gone {
			continue
		}
		for _, at := range conv.closings {
			if !at.owed || !at.in {
				continue
			}
			out.Owed++
			if problem := c.settle(out, id, at); problem != "" {
				c.hole(side{model: c.owing.model, parked: c.owing.parked}, Hole{ConversationID: id}, "", []string{problem})
			}
		}
	}
	return out
}

// settle counts one closing, and tells what is wrong with its survey.
func (c *comparison) settle(out *Surveys, id string, at closing) (problem string) {
	t := c.owing
	switch at.outcome {
	case answered:
		out.Answered++
	case expired:
		out.Expired++
	case excused:
		out.Excused++
	case waiting:
		out.Waiting++
		if t == nil || at.asked > c.head { // after the head: its timer may have been written since it was looked for
			return ""
		}
		switch failed, there := t.failed[at.survey]; {
		case !there:
			return fmt.Sprintf("was asked at event %d and has no timer that would end that", at.asked)
		case failed:
			return fmt.Sprintf("was asked at event %d, and the end of that was given up", at.asked)
		}
	case undecided:
		var failed, there bool
		if t != nil {
			failed, there = t.failed[id]
		}
		if t == nil || there && !failed {
			out.InFlight++
			return ""
		}
		out.Missing++
		if failed {
			return fmt.Sprintf("was closed at event %d, and asking about it was given up", at.sequence)
		}
		return fmt.Sprintf("was closed at event %d and neither asked about nor excused", at.sequence)
	}
	return ""
}

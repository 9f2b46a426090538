package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// side is what one model showed.
type side struct {
	model  string
	of     events.Kind // what it shows: conversations, unless it is customers
	shown  map[string]Shown
	parked map[string]projections.Parked // by key
}

// compare draws the account up.
func compare(f *fold, sides []side) Report {
	c := comparison{fold: f, rows: map[events.Channel]*Row{}}
	var people *side
	talks := make([]side, 0, len(sides))
	for _, s := range sides {
		if s.of == events.KindCustomer {
			people = &s
			continue
		}
		talks = append(talks, s)
	}
	for _, id := range f.wanted() {
		c.conversation(id, f.conversations[id], talks)
	}
	if f.ask.Channel == "" && !f.erasedLater { // a stranger may have been purged before it was counted; nobody knows its channel
		for _, s := range talks {
			c.strangers(s, c.strange, func(id string) Hole { return Hole{ConversationID: id} })
		}
	}
	out := Report{Rows: []Row{}}
	if f.ask.Channel == "" {
		out.Customers = c.customers(people)
	}
	if f.surveyed {
		out.Surveys = c.surveys()
	}
	out.Total = uint64(len(c.holes))
	for _, channel := range slices.Sorted(maps.Keys(c.rows)) {
		out.Rows = append(out.Rows, *c.rows[channel])
	}
	order := map[string]int{}
	if f.owing != nil {
		order[f.owing.model] = len(sides)
	}
	for i, s := range sides {
		order[s.model] = i
	}
	slices.SortStableFunc(c.holes, func(a, b Hole) int { return cmp.Compare(order[a.Model], order[b.Model]) })
	out.Holes = c.holes[:min(len(c.holes), MaxHoles)]
	return out
}

type comparison struct {
	*fold
	rows  map[events.Channel]*Row
	holes []Hole
}

func (c *comparison) conversation(id string, conv *conversation, sides []side) {
	row := c.rows[conv.channel]
	if row == nil {
		row = &Row{Channel: conv.channel, Sides: map[string]Side{}}
		c.rows[conv.channel] = row
	}
	accepted := c.accepted(conv)
	row.Accepted.add(accepted)
	row.Received += uint64(conv.in.received)
	row.Written += uint64(conv.in.written)
	excused, known := c.excused(conv)
	if excused {
		row.Excused.add(accepted)
	}
	for _, s := range sides {
		shown, there := s.shown[id]
		total := row.Sides[s.model]
		var missing Tally
		var problems []string
		switch {
		case excused && known && there:
			problems = []string{"is still shown, although its customer is erased"}
		case excused:
		case !there:
			missing, problems = accepted, []string{"is not there"}
		default:
			missing, problems = c.gaps(conv, shown)
		}
		if !excused {
			total.Shown.add(accepted.minus(missing))
			total.Missing.add(missing)
		}
		row.Sides[s.model] = total
		if !excused && len(problems) == 0 && c.parkedInWindow(s, id) {
			problems = []string{"waits for an operator"}
		}
		if len(problems) > 0 {
			c.hole(s, Hole{ConversationID: id}, conv.customer, problems)
		}
	}
}

func (c *comparison) parkedInWindow(s side, id string) bool {
	p, ok := s.parked[c.key(events.KindConversation, id)]
	return ok && p.Sequence > c.after && p.Sequence <= c.through
}

// gaps is what a model lacks of a conversation in the window.
func (c *comparison) gaps(conv *conversation, s Shown) (missing Tally, problems []string) {
	stale := !s.Ranged && s.Sequence < conv.lastIn
	for _, part := range []struct {
		name              string
		before, in, after uint64
		got               uint64
		missing           *uint64
	}{
		{"messages", conv.before.messages(), conv.in.messages(), conv.after.messages(), s.Messages, &missing.Messages},
		{"notes", uint64(conv.before.notes), uint64(conv.in.notes), uint64(conv.after.notes), s.Notes, &missing.Notes},
	} {
		want, inWindow := part.before+part.in+part.after, part.got
		switch {
		case s.Ranged:
			want = part.in
		case s.Sequence < conv.last: // what it lacks is the newest
			inWindow = min(part.got-min(part.got, part.before), part.in)
		default: // it lacks whatever it lacks: perhaps something of this window
			inWindow = part.in - min(part.in, want-min(want, part.got))
		}
		*part.missing = part.in - min(part.in, inWindow)
		switch newer := !s.Ranged && s.Sequence > c.head; {
		case part.got > want && !newer:
			problems = append(problems, fmt.Sprintf("shows %d %s, %d were accepted", part.got, part.name, want))
		case *part.missing > 0:
			problems = append(problems, fmt.Sprintf("lacks %d of %d %s", *part.missing, part.in, part.name))
		}
	}
	if stale {
		problems = append(problems, fmt.Sprintf("stopped at event %d, the log goes on to %d", s.Sequence, conv.lastIn))
	}
	return missing, problems
}

// key is by which an aggregate of the org is parked.
func (c *comparison) key(kind events.Kind, id string) string {
	return events.Aggregate{Org: c.ask.Org, Kind: kind, ID: id}.String()
}

// strangers are what a model shows and the log does not have, or no longer. wrong says what is wrong with showing it.
func (c *comparison) strangers(s side, wrong func(id string) string, hole func(id string) Hole) {
	for _, id := range slices.Sorted(maps.Keys(s.shown)) {
		if s.shown[id].Sequence <= c.after || s.shown[id].Sequence > c.through {
			continue
		}
		if problem := wrong(id); problem != "" {
			c.hole(s, hole(id), "", []string{problem})
		}
	}
}

const unknownToTheLog = "is shown, although the log does not have it"

// strange is what is wrong with showing a conversation.
func (c *comparison) strange(id string) string {
	switch conv := c.conversations[id]; {
	case conv == nil:
		return unknownToTheLog
	case conv.left() && !c.inWindow(conv):
		return "is still shown, although it was erased"
	}
	return ""
}

// hole notes what is wrong with a conversation or a customer, and that it is parked when that is why.
func (c *comparison) hole(s side, h Hole, customer string, problems []string) {
	for _, a := range []events.Aggregate{
		{Org: c.ask.Org, Kind: events.KindConversation, ID: h.ConversationID},
		{Org: c.ask.Org, Kind: events.KindCustomer, ID: customer},
	} {
		if p, ok := s.parked[a.String()]; ok {
			problems = append(problems, fmt.Sprintf("%s %s is parked at event %d (%s)", a.Kind, a.ID, p.Sequence, p.Type))
		}
	}
	h.Model, h.Problem = s.model, strings.Join(problems, "; ")
	c.holes = append(c.holes, h)
}

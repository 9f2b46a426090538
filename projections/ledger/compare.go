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
	shown  map[string]Shown
	parked map[string]projections.Parked // by key
}

// compare draws the account up.
func compare(f *fold, sides []side) Report {
	c := comparison{fold: f, rows: map[events.Channel]*Row{}}
	for _, id := range f.wanted() {
		c.conversation(id, f.conversations[id], sides)
	}
	for _, s := range sides {
		c.strangers(s)
	}
	out := Report{Rows: []Row{}, Total: uint64(len(c.holes))}
	for _, channel := range slices.Sorted(maps.Keys(c.rows)) {
		out.Rows = append(out.Rows, *c.rows[channel])
	}
	order := map[string]int{}
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
			c.hole(s, id, conv, problems)
		}
	}
}

func (c *comparison) parkedInWindow(s side, id string) bool {
	p, ok := s.parked[events.Aggregate{Org: c.ask.Org, Kind: events.KindConversation, ID: id}.String()]
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

// strangers are conversations that a model shows and the log does not have, or no longer.
func (c *comparison) strangers(s side) {
	if c.erasedLater || c.ask.Channel != "" {
		return // it may have been purged before it was counted; nobody knows its channel
	}
	for _, id := range slices.Sorted(maps.Keys(s.shown)) {
		conv := c.conversations[id]
		switch shown := s.shown[id]; {
		case shown.Sequence <= c.after || shown.Sequence > c.through:
		case conv == nil:
			c.hole(s, id, &conversation{}, []string{"is shown, although the log does not have it"})
		case conv.left() && !c.inWindow(conv):
			c.hole(s, id, conv, []string{"is still shown, although it was erased"})
		}
	}
}

// hole notes what is wrong with a conversation, and that it is parked when that is why.
func (c *comparison) hole(s side, id string, conv *conversation, problems []string) {
	for _, a := range []events.Aggregate{
		{Org: c.ask.Org, Kind: events.KindConversation, ID: id},
		{Org: c.ask.Org, Kind: events.KindCustomer, ID: conv.customer},
	} {
		if p, ok := s.parked[a.String()]; ok {
			problems = append(problems, fmt.Sprintf("%s %s is parked at event %d (%s)", a.Kind, a.ID, p.Sequence, p.Type))
		}
	}
	c.holes = append(c.holes, Hole{Model: s.model, ConversationID: id, Problem: strings.Join(problems, "; ")})
}

package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// fold is what the log accepted for one org up to a head.
//
// The window is by the time at which the log stored an event. Should the server's clock have gone back, an event counts
// as stored no earlier than any before it: so a window is always one run of sequences, and neighbouring windows neither
// overlap nor leave a gap.
type fold struct {
	ask   Question
	head  uint64
	needs []uint64 // by partition: the last event that a model of conversations must have applied
	known []uint64 // and a model of customers

	clock          time.Time // of the newest event so far
	after, through uint64    // the window as sequences: (after, through]
	begun, ended   bool

	conversations map[string]*conversation
	people        map[string]*person
	into          map[string]string // customers who were merged
	erased        map[string]uint64 // customers, and where in the log
	erasedLater   bool              // somebody was, after the head
	asking        map[string]bool   // channels: whether they ask for surveys now
	surveyed      bool              // the account is of surveys, too
	owing         *todo             // what is about to be done for them; nil: nobody could be asked
}

// conversation is one conversation's part of the account.
type conversation struct {
	channel           events.Channel
	channelID         string
	customer          string
	opened            uint64 // sequence; 0: the log no longer has the beginning, because it was erased
	last, lastIn      uint64 // sequence of the last event, and of the last one in the window
	erased            uint64 // sequence of its tombstone; 0: it has none
	before, in, after amount // by where the window is
	closings          []closing
}

// amount of what was said in a conversation.
type amount struct{ received, written, notes uint32 }

func (a amount) messages() uint64 { return uint64(a.received) + uint64(a.written) }

func newFold(q Question, head uint64, partitions int) *fold {
	return &fold{
		ask: q, head: head, needs: make([]uint64, partitions), known: make([]uint64, partitions),
		conversations: map[string]*conversation{}, people: map[string]*person{}, into: map[string]string{}, erased: map[string]uint64{}, asking: map[string]bool{},
	}
}

// add takes one event of the log, of whatever org; they come in order.
func (f *fold) add(r events.Recorded) {
	f.tick(r)
	if r.Org != f.ask.Org {
		return
	}
	switch r.Kind {
	case events.KindCustomer:
		f.fate(r)
		f.person(r)
	case events.KindConversation:
		f.conversation(r)
	case events.KindChannel:
		f.setting(r)
		return
	default:
		return
	}
	if r.Partition < len(f.needs) {
		f.needs[r.Partition] = r.Sequence
		if r.Kind == events.KindCustomer {
			f.known[r.Partition] = r.Sequence
		}
	}
}

// addLater takes an event after the head: it adds nothing, but may excuse, and settle a survey.
func (f *fold) addLater(r events.Recorded) {
	if r.Org != f.ask.Org {
		return
	}
	if r.Kind == events.KindCustomer {
		f.fate(r)
	}
	if c := f.conversations[r.Aggregate.ID]; c != nil && r.Kind == events.KindConversation {
		c.survey(r)
	}
}

// tick moves the window's edges: they are found while the log is read.
func (f *fold) tick(r events.Recorded) {
	if r.Stored.After(f.clock) {
		f.clock = r.Stored
	}
	if !f.begun {
		if f.begun = !f.clock.Before(f.ask.From); !f.begun {
			f.after = r.Sequence
		}
	}
	if !f.ended {
		if f.ended = !f.ask.To.IsZero() && !f.clock.Before(f.ask.To); !f.ended {
			f.through = r.Sequence
		}
	}
}

func (f *fold) fate(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.CustomerMerged:
		f.into[r.Aggregate.ID] = e.IntoID
	case events.CustomerErased:
		if _, again := f.erased[r.Aggregate.ID]; !again {
			f.erased[r.Aggregate.ID] = r.Sequence
		}
		f.erasedLater = f.erasedLater || r.Sequence > f.head
	}
}

// conversation counts an event of one. What was said in a conversation that was merged stays said there, in every model;
// so a merge moves nothing.
func (f *fold) conversation(r events.Recorded) {
	c := f.conversations[r.Aggregate.ID]
	if c == nil {
		c = &conversation{}
		f.conversations[r.Aggregate.ID] = c
	}
	c.last = r.Sequence
	if r.Revision == 1 {
		c.opened = r.Sequence // also when this version cannot read the event: it was accepted
	}
	part := &c.in
	switch {
	case !f.begun:
		part = &c.before
	case f.ended:
		part = &c.after
	default:
		c.lastIn = r.Sequence
	}
	switch e := r.Event.(type) {
	case events.ConversationOpened:
		c.channel, c.customer, c.channelID = e.Channel, e.CustomerID, e.ChannelID
	case events.ConversationClosed:
		f.close(c, r)
	case events.ConversationMessageReceived:
		part.received++
	case events.ConversationMessageWritten:
		part.written++
	case events.ConversationNoteAdded:
		part.notes++
	case events.ConversationErased:
		c.erased = r.Sequence
	default:
		c.survey(r)
	}
}

// inWindow tells whether something of the conversation was accepted in the window.
func (f *fold) inWindow(c *conversation) bool { return f.accepted(c) != Tally{} }

// accepted is what of the conversation was accepted in the window.
func (f *fold) accepted(c *conversation) Tally {
	t := Tally{Messages: c.in.messages(), Notes: uint64(c.in.notes)}
	if c.opened > f.after && c.opened <= f.through {
		t.Conversations = 1
	}
	return t
}

// wanted lists the conversations that the account is of, in the order of their ids.
func (f *fold) wanted() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.conversations)), func(id string) bool {
		c := f.conversations[id]
		return !f.inWindow(c) || f.ask.Channel != "" && c.channel != f.ask.Channel
	})
}

// asked lists the conversations that a model is asked for: those that the account is of, and those of which only a
// tombstone is left, which no model may show.
func (f *fold) asked() []string {
	out := f.wanted()
	for id, c := range f.conversations {
		if c.left() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// left tells whether nothing but the tombstone is left of a conversation in the log.
func (c *conversation) left() bool { return c.erased > 0 && c.opened == 0 }

// excused tells whether nobody may show the conversation any more; known says that all models know it by now.
func (f *fold) excused(c *conversation) (excused, known bool) {
	switch {
	case c.erased > 0:
		return true, true
	case c.opened == 0:
		return true, !f.erasedLater
	}
	customer, known := c.customer, true
	for range len(f.into) + 1 { // a circle of merges ends
		if at, ok := f.erased[customer]; ok {
			return true, known && at <= f.head
		}
		next, ok := f.into[customer]
		if !ok {
			return false, false
		}
		customer = next
	}
	return false, false
}

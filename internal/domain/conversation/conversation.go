// Package conversation decides what may happen to one conversation, from its opening to its merge.
//
// Decide and Evolve are plain functions: time and ids come in the command. The life of a conversation, as desks
// expect it:
//
//   - It is open, snoozed or closed. Whatever the customer writes opens it again: a closed conversation reopens, a
//     snoozed one wakes. What the desk writes does not: a parting word or an automation's reply on a closed
//     conversation leaves it closed, and a reply to a sleeping one lets it sleep.
//   - Closing keeps the assignee and the queue: who had it stays to be seen, and gets it back when it reopens. Only
//     open and snoozed conversations count as somebody's load, so the load ends with the closing.
//   - A queue is the team, an assignee the person. Moving to another queue takes it from its agent, so that the new
//     team takes it up; Unassign lets it wait in the same queue again.
//   - An erased conversation is gone: nothing but that is known of it, and everything is refused.
//   - A merged conversation is finished for good and refuses everything with a fault that names where it goes on, but for
//     what is still owed to surveys.
//   - Each closing is asked about once at most, while it is the end. Whatever makes the conversation go on ends the survey.
//   - Notes, tags, attributes, subject, priority and read marks may change on a closed conversation; who works on
//     it and when may not.
//
// It must not know agents, queues or customers: that they exist is asked before a command is made.
package conversation

import (
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/attr"
	"github.com/tidemark-desk/tidemark/internal/domain/idset"
)

// MaxTags is how many tags a conversation may have.
const MaxTags = 100

// State is what deciding asks. It is shared between readers: never change what a map or a slice in it holds.
type State struct {
	Exists     bool
	CustomerID string
	Channel    events.Channel
	ChannelID  string // may be empty
	Subject    string
	Status     events.Status
	Until      time.Time // of the snooze
	QueueID    string
	AssigneeID string
	Priority   events.Priority
	Tags       []string // sorted
	Attributes map[string]any
	Messages   idset.Set            // ids, in their order
	Notes      idset.Set            // ids
	ReadUpTo   map[events.Actor]int // reader → index of the message
	Absorbed   []string             // conversations that go on here
	Closings   []Closing            // every time that it was closed
	MergedInto string               // where this one goes on; empty while it lives
	Erased     bool
}

// Active tells whether the conversation is somebody's load: it is neither closed nor merged nor erased.
func (s State) Active() bool {
	return s.Exists && !s.Erased && s.MergedInto == "" && s.Status != events.StatusClosed
}

// Size is what the state holds besides ids, in bytes, about.
func (s State) Size() int {
	n := len(s.Subject) + attr.Size(s.Attributes)
	for _, tag := range s.Tags {
		n += len(tag)
	}
	const perClosing = 192
	for _, c := range s.Closings {
		n += perClosing + len(c.Comment)
	}
	return n
}

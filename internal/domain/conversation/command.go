package conversation

import (
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Command is one of the commands below.
type Command interface{ conversationCommand() }

// Open begins a conversation. The same Open again is nothing new.
type Open struct {
	CustomerID string
	Channel    events.Channel
	ChannelID  string // may be empty
	Subject    string // may be empty
}

// ReceiveMessage is a message from the customer. It reopens a closed conversation and wakes a snoozed one.
type ReceiveMessage struct {
	MessageID  string
	CustomerID string    // empty: the conversation's
	Text       string    // may be empty when there are attachments
	At         time.Time // when it was written, if not now

	Attachments []events.Attachment // at most MaxAttachments
}

// WriteMessage is a message to the customer.
type WriteMessage struct {
	MessageID string
	Author    events.Actor
	Text      string    // may be empty when there are attachments
	At        time.Time // when it was written, if not now

	Attachments []events.Attachment // at most MaxAttachments
}

// AddNote leaves a note among agents.
type AddNote struct {
	NoteID string
	Author events.Actor
	Text   string // may be empty when there are attachments

	Attachments []events.Attachment // at most MaxAttachments; they are the desk's alone, as the note is
}

// SetSubject changes the subject line; it may become empty.
type SetSubject struct{ Subject string }

// Queue puts the conversation in a queue; out of another one it leaves its agent too.
type Queue struct{ QueueID, Reason string }

// Assign gives the conversation to an agent, whoever has it now.
type Assign struct{ AgentID, Reason string }

// RouteTo gives a waiting conversation to an agent: it must still be open, in that queue, and nobody's. Routing uses
// it because it decides from a view that lags.
type RouteTo struct{ QueueID, AgentID, Reason string }

// Unassign takes the conversation from its agent; it stays in its queue.
type Unassign struct{ Reason string }

// UnassignFrom takes the conversation from this agent, and is nothing new when somebody else has it by now.
type UnassignFrom struct{ AgentID, Reason string }

// SetPriority changes the priority.
type SetPriority struct {
	Priority events.Priority
	Reason   string
}

// Tag puts a tag on.
type Tag struct{ Tag, Reason string }

// Untag takes a tag off.
type Untag struct{ Tag, Reason string }

// SetAttributes sets strings, numbers and booleans by name; nil removes one.
type SetAttributes struct{ Attributes map[string]any }

// Snooze hides the conversation until a time after Now.
type Snooze struct {
	Until, Now time.Time
	Reason     string
}

// Wake ends a snooze. On a conversation that does not sleep it is nothing new, so that a timer may be late.
type Wake struct{ Reason string }

// Close ends the conversation.
type Close struct{ Reason string }

// Reopen begins it again; a sleeping one wakes.
type Reopen struct{ Reason string }

// MarkRead says that somebody has read everything up to a message. A mark never goes back.
type MarkRead struct {
	Reader    events.Actor
	MessageID string
}

// MergeInto ends the conversation for good in favour of another, which must Absorb it in the same batch.
type MergeInto struct{ IntoID, Reason string }

// Absorb takes over another conversation's history.
type Absorb struct{ FromID, Reason string }

// Erase forgets everything about the conversation, because everything about its customer is forgotten.
type Erase struct{ Reason string }

// HappenedAt is when the customer wrote, for the event's time.
func (c ReceiveMessage) HappenedAt() time.Time { return c.At }

// HappenedAt is when the desk wrote, for the event's time.
func (c WriteMessage) HappenedAt() time.Time { return c.At }

func (Open) conversationCommand()           {}
func (ReceiveMessage) conversationCommand() {}
func (WriteMessage) conversationCommand()   {}
func (AddNote) conversationCommand()        {}
func (SetSubject) conversationCommand()     {}
func (Queue) conversationCommand()          {}
func (Assign) conversationCommand()         {}
func (RouteTo) conversationCommand()        {}
func (Unassign) conversationCommand()       {}
func (UnassignFrom) conversationCommand()   {}
func (SetPriority) conversationCommand()    {}
func (Tag) conversationCommand()            {}
func (Untag) conversationCommand()          {}
func (SetAttributes) conversationCommand()  {}
func (Snooze) conversationCommand()         {}
func (Wake) conversationCommand()           {}
func (Close) conversationCommand()          {}
func (Reopen) conversationCommand()         {}
func (MarkRead) conversationCommand()       {}
func (MergeInto) conversationCommand()      {}
func (Absorb) conversationCommand()         {}
func (Erase) conversationCommand()          {}

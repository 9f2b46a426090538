package events

import "time"

func init() {
	register[ConversationOpened]("A customer and the desk began to talk.")
	register[ConversationSubjectSet]("The conversation has another subject line.")
	register[ConversationMessageReceived]("The customer wrote.")
	register[ConversationMessageWritten]("The desk wrote: an agent or an automation.")
	register[ConversationNoteAdded]("An agent left a note that customers never see.")
	register[ConversationQueued]("The conversation waits in a queue.")
	register[ConversationAssigned]("An agent has the conversation.")
	register[ConversationUnassigned]("The agent no longer has the conversation.")
	register[ConversationPrioritySet]("The conversation's priority changed.")
	register[ConversationTagged]("A tag was put on the conversation.")
	register[ConversationUntagged]("A tag was taken off the conversation.")
	register[ConversationAttributesSet]("Attributes were set; null removes one.")
	register[ConversationSnoozed]("The conversation sleeps until a time or until the customer writes.")
	register[ConversationWoke]("The conversation is open again after a snooze.")
	register[ConversationClosed]("The conversation is done.")
	register[ConversationReopened]("The conversation is not done after all.")
	register[ConversationReadUpTo]("Somebody has read everything up to a message.")
	register[ConversationMerged]("The conversation goes on in another one.")
	register[ConversationAbsorbed]("Another conversation goes on in this one.")
	register[ConversationErased]("Everything about the conversation is to be forgotten, with its customer.")
	lift("conversation.priority_set.v1", "The conversation's priority as a number from 0 (low) to 3 (urgent).",
		func(o prioritySetV1) ConversationPrioritySet {
			named := []Priority{PriorityLow, PriorityNormal, PriorityHigh, PriorityUrgent}
			return ConversationPrioritySet{Priority: named[min(max(o.Priority, 0), len(named)-1)], Reason: "unspecified"}
		})
}

// Priority orders the work in a queue.
type Priority string

// The priorities.
const (
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
	PriorityUrgent Priority = "urgent"
)

// Priorities lists every priority, lowest first.
var Priorities = []Priority{PriorityLow, PriorityNormal, PriorityHigh, PriorityUrgent}

// Status is where a conversation stands.
type Status string

// The statuses.
const (
	StatusOpen    Status = "open"
	StatusSnoozed Status = "snoozed"
	StatusClosed  Status = "closed"
)

// ConversationOpened is the first event of a conversation. It starts open, with normal priority, in no queue.
type ConversationOpened struct {
	CustomerID string  `json:"customer_id"`
	Channel    Channel `json:"channel"`
	ChannelID  string  `json:"channel_id,omitempty"`
	Subject    string  `json:"subject,omitempty"`
}

// ConversationSubjectSet changes the subject line.
type ConversationSubjectSet struct {
	Subject string `json:"subject"`
}

// ConversationMessageReceived is a message from the customer. Its text is empty only when it has attachments.
type ConversationMessageReceived struct {
	MessageID   string       `json:"message_id"`
	CustomerID  string       `json:"customer_id"`
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments,omitempty"`
}

// ConversationMessageWritten is a message to the customer. Its text is empty only when it has attachments.
type ConversationMessageWritten struct {
	MessageID   string       `json:"message_id"`
	Author      Actor        `json:"author"`
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments,omitempty"`
}

// Attachment is a file that goes with a message or a note. The log has only what is said of it: the bytes are kept elsewhere, in
// the folder of the conversation whose event this is.
type Attachment struct {
	ID     string `json:"id"` // SHA-256 of its bytes, in hex
	Name   string `json:"name"`
	Type   string `json:"type"` // media type, found in its bytes
	Size   int    `json:"size"` // in bytes
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"` // in pixels, of an image that was decoded; 0 of anything else
}

// ConversationNoteAdded is a note among agents. Its text is empty only when it has attachments.
type ConversationNoteAdded struct {
	NoteID      string       `json:"note_id"`
	Author      Actor        `json:"author"`
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments,omitempty"`
}

// ConversationQueued puts the conversation in a queue; it leaves any other.
type ConversationQueued struct {
	QueueID string `json:"queue_id"`
	Reason  string `json:"reason"`
}

// ConversationAssigned gives the conversation to an agent; it leaves any other.
type ConversationAssigned struct {
	AgentID string `json:"agent_id"`
	Reason  string `json:"reason"`
}

// ConversationUnassigned takes the conversation from its agent.
type ConversationUnassigned struct {
	AgentID string `json:"agent_id"`
	Reason  string `json:"reason"`
}

// ConversationPrioritySet changes the priority.
type ConversationPrioritySet struct {
	Priority Priority `json:"priority"`
	Reason   string   `json:"reason"`
}

// prioritySetV1 is how priorities were written at first.
type prioritySetV1 struct {
	Priority int `json:"priority"`
}

// ConversationTagged puts a tag on.
type ConversationTagged struct {
	Tag    string `json:"tag"`
	Reason string `json:"reason,omitempty"`
}

// ConversationUntagged takes a tag off.
type ConversationUntagged struct {
	Tag    string `json:"tag"`
	Reason string `json:"reason,omitempty"`
}

// ConversationAttributesSet sets strings, numbers and booleans by name; null removes one.
type ConversationAttributesSet struct {
	Attributes map[string]any `json:"attributes"`
}

// ConversationSnoozed hides the conversation until a time.
type ConversationSnoozed struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
}

// ConversationWoke ends a snooze: its time came, the customer wrote, or an agent said so.
type ConversationWoke struct {
	Reason string `json:"reason"`
}

// ConversationClosed ends the conversation.
type ConversationClosed struct {
	Reason string `json:"reason"`
}

// ConversationReopened begins the conversation again.
type ConversationReopened struct {
	Reason string `json:"reason"`
}

// ConversationReadUpTo is a read mark.
type ConversationReadUpTo struct {
	Reader    Actor  `json:"reader"`
	MessageID string `json:"message_id"`
}

// ConversationMerged closes the conversation for good; it goes on in another.
type ConversationMerged struct {
	IntoID string `json:"into_id"`
	Reason string `json:"reason"`
}

// ConversationAbsorbed says that another conversation's history belongs here.
type ConversationAbsorbed struct {
	FromID string `json:"from_id"`
	Reason string `json:"reason"`
}

// ConversationErased is the tombstone of a conversation whose customer was erased. Nothing comes after it, and soon
// nothing is left before it.
type ConversationErased struct {
	Reason string `json:"reason"`
}

// EventType is on disk.
func (ConversationOpened) EventType() string { return "conversation.opened.v1" }

// EventType is on disk.
func (ConversationSubjectSet) EventType() string { return "conversation.subject_set.v1" }

// EventType is on disk.
func (ConversationMessageReceived) EventType() string { return "conversation.message_received.v1" }

// EventType is on disk.
func (ConversationMessageWritten) EventType() string { return "conversation.message_written.v1" }

// EventType is on disk.
func (ConversationNoteAdded) EventType() string { return "conversation.note_added.v1" }

// EventType is on disk.
func (ConversationQueued) EventType() string { return "conversation.queued.v1" }

// EventType is on disk.
func (ConversationAssigned) EventType() string { return "conversation.assigned.v1" }

// EventType is on disk.
func (ConversationUnassigned) EventType() string { return "conversation.unassigned.v1" }

// EventType is on disk.
func (ConversationPrioritySet) EventType() string { return "conversation.priority_set.v2" }

// EventType is on disk.
func (ConversationTagged) EventType() string { return "conversation.tagged.v1" }

// EventType is on disk.
func (ConversationUntagged) EventType() string { return "conversation.untagged.v1" }

// EventType is on disk.
func (ConversationAttributesSet) EventType() string { return "conversation.attributes_set.v1" }

// EventType is on disk.
func (ConversationSnoozed) EventType() string { return "conversation.snoozed.v1" }

// EventType is on disk.
func (ConversationWoke) EventType() string { return "conversation.woke.v1" }

// EventType is on disk.
func (ConversationClosed) EventType() string { return "conversation.closed.v1" }

// EventType is on disk.
func (ConversationReopened) EventType() string { return "conversation.reopened.v1" }

// EventType is on disk.
func (ConversationReadUpTo) EventType() string { return "conversation.read_up_to.v1" }

// EventType is on disk.
func (ConversationMerged) EventType() string { return "conversation.merged.v1" }

// EventType is on disk.
func (ConversationAbsorbed) EventType() string { return "conversation.absorbed.v1" }

// EventType is on disk.
func (ConversationErased) EventType() string { return "conversation.erased.v1" }

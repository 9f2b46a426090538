// Package timeline is the read model behind a conversation's messages and a customer's history: one entry for each
// thing that was said or done, in the order of the log, never changed once written.
//
// Projection writes it (apply.go), Reader reads it (read.go), and nobody else names its tables. Entries of a
// conversation that was merged stay where they are and are read together with those of the one it went on in.
package timeline

import (
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Kind is what an entry tells.
type Kind string

// The kinds of entry.
const (
	MessageReceived Kind = "message_received"
	MessageWritten  Kind = "message_written"
	NoteAdded       Kind = "note_added"
	Opened          Kind = "opened"
	SubjectSet      Kind = "subject_set"
	Queued          Kind = "queued"
	Assigned        Kind = "assigned"
	Unassigned      Kind = "unassigned"
	PrioritySet     Kind = "priority_set"
	Tagged          Kind = "tagged"
	Untagged        Kind = "untagged"
	AttributesSet   Kind = "attributes_set"
	Snoozed         Kind = "snoozed"
	Woke            Kind = "woke"
	Closed          Kind = "closed"
	Reopened        Kind = "reopened"
	Merged          Kind = "merged"
	Absorbed        Kind = "absorbed"
)

// Entry is one thing that was said or done in a conversation.
type Entry struct {
	ConversationID string // where it happened: for an absorbed conversation not the one that was asked for
	Sequence       uint64 // of the event; entries are in its order
	Kind           Kind
	ID             string       // of the message or the note; empty for anything else
	Author         events.Actor // who wrote it or did it
	Text           string       // of the message or the note
	Detail         *Detail      // nil for messages and notes
	At             time.Time

	Attachments []events.Attachment // of a message; the files are in the folder of ConversationID
}

// Detail is what changed. Only what belongs to the kind is set.
type Detail struct {
	Reason         string         `json:"reason,omitempty"`
	Channel        events.Channel `json:"channel,omitempty"`
	Subject        string         `json:"subject,omitempty"`
	QueueID        string         `json:"queue_id,omitempty"`
	AgentID        string         `json:"agent_id,omitempty"`
	Priority       string         `json:"priority,omitempty"`
	Tag            string         `json:"tag,omitempty"`
	Until          *time.Time     `json:"until,omitempty"`
	ConversationID string         `json:"conversation_id,omitempty"` // the other one of a merge
	Attributes     map[string]any `json:"attributes,omitempty"`
	Removed        []string       `json:"removed,omitempty"` // names of attributes
}

// more is what a row has of an entry besides its text: what changed, or what came with a message.
type more struct {
	Detail
	Attachments []events.Attachment `json:"attachments,omitempty"`
}

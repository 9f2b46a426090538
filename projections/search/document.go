// Package search makes conversations findable: what a document is, what a query means, and what an engine
// must do with both.
//
// document.go is pure: the events of one conversation in, its document out, one event at a time or from
// scratch with the same result. query.go reads what people type. Engines keep documents and their own progress
// together (bleve/); the search indexer runs one engine and answers over NATS; Client asks it.
//
// It never decides who may ask: whoever builds a Query says which org it is confined to, and an engine must
// not answer with anything else.
package search

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Kinds are the kinds of aggregate that search follows.
var Kinds = []events.Kind{events.KindConversation, events.KindCustomer}

// Format is the version of the documents and of their analysis. An index of another format is rebuilt, because
// documents folded by different rules must not stand side by side.
const Format = 3

// ErrGap is returned when an event is not the next one of its conversation: the ones between are to be read first.
var ErrGap = errors.New("events are missing in between")

// Message is a message or a note.
type Message struct {
	ID   string    `json:"id"`
	From string    `json:"from"` // type of its author: customer, agent, workflow …
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Document is what is kept about one conversation, or one customer. Notes are apart, because only agents may find them.
type Document struct {
	Kind       events.Kind       `json:"kind,omitempty"` // empty: a conversation
	ID         string            `json:"id"`
	Org        string            `json:"org"`
	Customer   string            `json:"customer,omitempty"`
	Channel    string            `json:"channel,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Status     string            `json:"status,omitempty"`
	Priority   string            `json:"priority,omitempty"`
	Queue      string            `json:"queue,omitempty"`
	Assignee   string            `json:"assignee,omitempty"`
	Tags       []string          `json:"tags,omitempty"` // sorted
	Messages   []Message         `json:"messages,omitempty"`
	Notes      []Message         `json:"notes,omitempty"`
	Name       string            `json:"name,omitempty"`       // of a customer
	Identities []events.Identity `json:"identities,omitempty"` // of a customer
	Attached   bool              `json:"attached,omitempty"`   // a message has attachments
	Created    time.Time         `json:"created"`
	Updated    time.Time         `json:"updated"`
	Revision   uint64            `json:"revision"` // of the last event folded in
	Position   uint64            `json:"position"` // sequence of the last event folded in
	Erased     bool              `json:"-"`        // nothing may be kept of it: an engine takes it out
}

// NewDocument is the document of a conversation or a customer of whom nothing is known yet.
func NewDocument(a events.Aggregate) *Document {
	d := &Document{ID: a.ID, Org: a.Org}
	if a.Kind == events.KindCustomer {
		d.Kind = a.Kind
	}
	return d
}

// Clone is a copy that can be folded on without touching the original.
func (d *Document) Clone() *Document {
	c := *d
	c.Tags = slices.Clone(d.Tags)
	c.Messages = slices.Clone(d.Messages)
	c.Notes = slices.Clone(d.Notes)
	c.Identities = slices.Clone(d.Identities)
	return &c
}

// Fold applies the next event of the conversation or customer. One that is already in changes nothing; ErrGap says that others
// come first; an event that this binary cannot read is an error, never skipped. Before a tombstone nothing is missing.
func (d *Document) Fold(e events.Recorded) error {
	erased := false
	switch e.Event.(type) {
	case events.ConversationErased, events.CustomerErased:
		erased = true
	}
	switch {
	case e.Revision <= d.Revision:
		return nil
	case erased:
		*d = Document{Kind: d.Kind, ID: d.ID, Org: d.Org, Revision: e.Revision, Position: e.Sequence, Erased: true}
		return nil
	case e.Revision != d.Revision+1:
		return fmt.Errorf("%w: %s has %d, not yet %d", ErrGap, e.Aggregate, d.Revision, e.Revision-1)
	}
	if u, unknown := e.Event.(events.Unknown); unknown {
		return fmt.Errorf("read %s of %s at %d: %s", u.Type, e.Aggregate, e.Sequence, u.Reason)
	}
	if d.Kind == events.KindCustomer {
		d.applyCustomer(e)
	} else {
		d.apply(e)
	}
	d.Revision, d.Position = e.Revision, e.Sequence
	if !d.Erased && !events.Beside(e.Event) && e.Time.After(d.Updated) {
		d.Updated = e.Time
	}
	return nil
}

// Skip steps over an event that an operator decided to drop.
func (d *Document) Skip(e events.Recorded) {
	if e.Revision == d.Revision+1 {
		d.Revision, d.Position = e.Revision, e.Sequence
	}
}

func (d *Document) apply(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.ConversationOpened:
		d.Customer, d.Channel, d.Subject = e.CustomerID, string(e.Channel), e.Subject
		d.Status, d.Priority = string(events.StatusOpen), string(events.PriorityNormal)
		d.Created = r.Time
	case events.ConversationSubjectSet:
		d.Subject = e.Subject
	case events.ConversationMessageReceived:
		d.Attached = d.Attached || len(e.Attachments) > 0
		d.Messages = append(d.Messages, Message{ID: e.MessageID, From: events.ActorCustomer, Text: e.Text, At: r.Time})
	case events.ConversationMessageWritten:
		d.Attached = d.Attached || len(e.Attachments) > 0
		d.Messages = append(d.Messages, Message{ID: e.MessageID, From: e.Author.Type, Text: e.Text, At: r.Time})
	case events.ConversationNoteAdded:
		d.Notes = append(d.Notes, Message{ID: e.NoteID, From: e.Author.Type, Text: e.Text, At: r.Time})
	case events.ConversationQueued:
		d.Queue = e.QueueID
	case events.ConversationAssigned:
		d.Assignee = e.AgentID
	case events.ConversationUnassigned:
		d.Assignee = ""
	case events.ConversationPrioritySet:
		d.Priority = string(e.Priority)
	case events.ConversationTagged:
		if i, have := slices.BinarySearch(d.Tags, e.Tag); !have {
			d.Tags = slices.Insert(d.Tags, i, e.Tag)
		}
	case events.ConversationUntagged:
		if i, have := slices.BinarySearch(d.Tags, e.Tag); have {
			d.Tags = slices.Delete(d.Tags, i, i+1)
		}
	case events.ConversationSnoozed:
		d.Status = string(events.StatusSnoozed)
	case events.ConversationWoke, events.ConversationReopened:
		d.Status = string(events.StatusOpen)
	case events.ConversationClosed, events.ConversationMerged:
		d.Status = string(events.StatusClosed)
	}
}

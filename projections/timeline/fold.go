package timeline

import (
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// entryOf is what one event of a conversation adds; ok is false for events that add nothing, such as read marks.
func entryOf(r events.Recorded) (e Entry, ok bool) {
	e = Entry{ConversationID: r.Aggregate.ID, Sequence: r.Sequence, Author: r.Actor, At: pgtext.Time(r.Time)}
	switch v := r.Event.(type) {
	case events.ConversationMessageReceived:
		e.Kind, e.ID, e.Text, e.Attachments = MessageReceived, v.MessageID, v.Text, attachments(v.Attachments)
		e.Author = events.Actor{Type: events.ActorCustomer, ID: v.CustomerID}
	case events.ConversationMessageWritten:
		e.Kind, e.ID, e.Text, e.Author, e.Attachments = MessageWritten, v.MessageID, v.Text, v.Author, attachments(v.Attachments)
	case events.ConversationNoteAdded:
		e.Kind, e.ID, e.Text, e.Author, e.Attachments = NoteAdded, v.NoteID, v.Text, v.Author, attachments(v.Attachments)
	default:
		e.Kind, e.Detail = change(r.Event)
	}
	e.ID, e.Text = pgtext.Clean(e.ID), pgtext.Clean(e.Text)
	e.Author = events.Actor{Type: pgtext.Clean(e.Author.Type), ID: pgtext.Clean(e.Author.ID)}
	return e, e.Kind != ""
}

// change is what an event says that is neither message nor note; an empty kind for what is not told.
func change(e events.Event) (Kind, *Detail) {
	switch e := e.(type) {
	case events.ConversationOpened:
		return Opened, &Detail{Channel: e.Channel, Subject: pgtext.Clean(e.Subject)}
	case events.ConversationSubjectSet:
		return SubjectSet, &Detail{Subject: pgtext.Clean(e.Subject)}
	case events.ConversationQueued:
		return Queued, &Detail{QueueID: e.QueueID, Reason: pgtext.Clean(e.Reason)}
	case events.ConversationAssigned:
		return Assigned, &Detail{AgentID: e.AgentID, Reason: pgtext.Clean(e.Reason)}
	case events.ConversationUnassigned:
		return Unassigned, &Detail{AgentID: e.AgentID, Reason: pgtext.Clean(e.Reason)}
	case events.ConversationPrioritySet:
		return PrioritySet, &Detail{Priority: string(e.Priority), Reason: pgtext.Clean(e.Reason)}
	case events.ConversationTagged:
		return Tagged, &Detail{Tag: pgtext.Clean(e.Tag), Reason: pgtext.Clean(e.Reason)}
	case events.ConversationUntagged:
		return Untagged, &Detail{Tag: pgtext.Clean(e.Tag), Reason: pgtext.Clean(e.Reason)}
	case events.ConversationAttributesSet:
		return AttributesSet, attributes(e)
	case events.ConversationSnoozed:
		until := pgtext.Time(e.Until)
		return Snoozed, &Detail{Until: &until, Reason: pgtext.Clean(e.Reason)}
	case events.ConversationWoke:
		return Woke, &Detail{Reason: pgtext.Clean(e.Reason)}
	case events.ConversationClosed:
		return Closed, &Detail{Reason: pgtext.Clean(e.Reason)}
	case events.ConversationReopened:
		return Reopened, &Detail{Reason: pgtext.Clean(e.Reason)}
	case events.ConversationMerged:
		return Merged, &Detail{ConversationID: e.IntoID, Reason: pgtext.Clean(e.Reason)}
	case events.ConversationAbsorbed:
		return Absorbed, &Detail{ConversationID: e.FromID, Reason: pgtext.Clean(e.Reason)}
	default:
		return "", nil
	}
}

func attachments(list []events.Attachment) []events.Attachment {
	list = slices.Clone(list)
	for n, a := range list {
		list[n].ID, list[n].Name, list[n].Type = pgtext.Clean(a.ID), pgtext.Clean(a.Name), pgtext.Clean(a.Type)
	}
	return list
}

func attributes(e events.ConversationAttributesSet) *Detail {
	d := &Detail{Attributes: pgtext.Merge(nil, e.Attributes)}
	for name, value := range e.Attributes {
		if value == nil {
			d.Removed = append(d.Removed, pgtext.Clean(name))
		}
	}
	slices.Sort(d.Removed)
	if len(d.Attributes) == 0 {
		d.Attributes = nil
	}
	return d
}

package conversation

import (
	"maps"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/attr"
)

// Evolve is the state after an event. It cannot fail, for it happened, and it leaves s as it was. Events that are
// not a conversation's change nothing.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.ConversationOpened:
		s.Exists, s.CustomerID, s.Channel, s.Subject = true, e.CustomerID, e.Channel, e.Subject
		s.ChannelID = e.ChannelID
		s.Status, s.Priority = events.StatusOpen, events.PriorityNormal
	case events.ConversationSubjectSet:
		s.Subject = e.Subject
	case events.ConversationMessageReceived:
		s.Messages = s.Messages.With(e.MessageID)
	case events.ConversationMessageWritten:
		s.Messages = s.Messages.With(e.MessageID)
	case events.ConversationNoteAdded:
		s.Notes = s.Notes.With(e.NoteID)
	case events.ConversationQueued:
		s.QueueID = e.QueueID
	case events.ConversationAssigned:
		s.AssigneeID = e.AgentID
	case events.ConversationUnassigned:
		s.AssigneeID = ""
	case events.ConversationPrioritySet:
		s.Priority = e.Priority
	case events.ConversationTagged:
		s.Tags = withTag(s.Tags, e.Tag)
	case events.ConversationUntagged:
		s.Tags = withoutTag(s.Tags, e.Tag)
	case events.ConversationAttributesSet:
		s.Attributes = attr.Apply(s.Attributes, e.Attributes)
	case events.ConversationSnoozed:
		s.Status, s.Until = events.StatusSnoozed, e.Until
	case events.ConversationWoke, events.ConversationReopened:
		s.Status, s.Until = events.StatusOpen, time.Time{}
	case events.ConversationClosed:
		s.Status, s.Until = events.StatusClosed, time.Time{}
		s.Closings = append(slices.Clip(s.Closings), Closing{QueueID: s.QueueID, AgentID: s.AssigneeID})
	case events.ConversationSurveyRequested, events.ConversationSurveyAnswered, events.ConversationSurveyExpired, events.ConversationSurveyExcused:
		s.Closings = s.evolveSurvey(e)
	case events.ConversationReadUpTo:
		s.ReadUpTo = withMark(s, e)
	case events.ConversationMerged:
		s.MergedInto, s.Status, s.Until = e.IntoID, events.StatusClosed, time.Time{}
	case events.ConversationAbsorbed:
		s.Absorbed = append(slices.Clip(s.Absorbed), e.FromID)
	case events.ConversationErased:
		s = State{Exists: true, Erased: true}
	}
	return s
}

func withTag(tags []string, tag string) []string {
	at, there := slices.BinarySearch(tags, tag)
	if there {
		return tags
	}
	return slices.Insert(slices.Clone(tags), at, tag)
}

func withoutTag(tags []string, tag string) []string {
	at, there := slices.BinarySearch(tags, tag)
	if !there {
		return tags
	}
	return slices.Delete(slices.Clone(tags), at, at+1)
}

func withMark(s State, e events.ConversationReadUpTo) map[events.Actor]int {
	at, known := s.Messages.Index(e.MessageID)
	if old, marked := s.ReadUpTo[e.Reader]; !known || marked && old >= at {
		return s.ReadUpTo
	}
	marks := maps.Clone(s.ReadUpTo)
	if marks == nil {
		marks = map[events.Actor]int{}
	}
	marks[e.Reader] = at
	return marks
}

package conversation

import (
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/attr"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// What a conversation may answer; the whole table is in package refusal.
var (
	ErrNotFound       = refusal.ErrConversationNotFound
	ErrExists         = refusal.ErrConversationExists
	ErrErased         = refusal.ErrConversationErased
	ErrClosed         = refusal.ErrConversationClosed
	ErrSnoozed        = refusal.ErrConversationSnoozed
	ErrMerged         = refusal.ErrConversationMerged
	ErrAssigned       = refusal.ErrConversationAssigned
	ErrNotInQueue     = refusal.ErrConversationElsewhere
	ErrMessageUnknown = refusal.ErrMessageUnknown
)

// Reasons that Decide gives by itself.
const (
	ReasonCustomerWrote = "customer_wrote" // a message reopened or woke the conversation
	ReasonQueued        = "queued"         // it left its agent for another queue
)

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	if s.Erased {
		if _, again := c.(Erase); again {
			return nil, nil
		}
		return nil, ErrErased
	}
	if open, ok := c.(Open); ok {
		return s.open(open)
	}
	if !s.Exists {
		return nil, ErrNotFound
	}
	if c, ok := c.(Erase); ok { // a merged one too: its own history is still there
		reason, err := text.Reason(c.Reason)
		if err != nil {
			return nil, err
		}
		return one(events.ConversationErased{Reason: reason})
	}
	switch c.(type) {
	case RequestSurvey, AnswerSurvey, ExpireSurvey:
		return s.decideSurvey(c)
	}
	if s.MergedInto != "" {
		return s.decideMerged(c)
	}
	switch c := c.(type) {
	case ReceiveMessage:
		return s.receive(c)
	case WriteMessage:
		return s.write(c)
	case AddNote:
		return s.note(c)
	case Queue, Assign, RouteTo, Unassign, UnassignFrom:
		return s.decideWork(c)
	case Snooze, Wake, Close, Reopen:
		return s.decideStatus(c)
	case MarkRead:
		return s.markRead(c)
	case MergeInto:
		return s.mergeInto(c)
	case Absorb:
		return s.absorb(c)
	default:
		return s.decideField(c)
	}
}

func (s State) open(c Open) ([]events.Event, error) {
	if s.Exists {
		if s.CustomerID == c.CustomerID && s.Channel == c.Channel {
			return nil, nil
		}
		return nil, ErrExists
	}
	if err := text.ID("customer_id", c.CustomerID); err != nil {
		return nil, err
	}
	if c.ChannelID != "" {
		if err := text.ID("channel_id", c.ChannelID); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(events.Channels, c.Channel) {
		return nil, refusal.ErrChannelInvalid
	}
	subject, err := text.Line("subject", c.Subject, text.MaxLine)
	if err != nil {
		return nil, err
	}
	return one(events.ConversationOpened{
		CustomerID: c.CustomerID, Channel: c.Channel, ChannelID: c.ChannelID, Subject: subject,
	})
}

// decideMerged: what is known already adds nothing here either; the rest is sent to where the conversation goes on.
func (s State) decideMerged(c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case ReceiveMessage:
		if s.Messages.Has(c.MessageID) {
			return nil, nil
		}
	case WriteMessage:
		if s.Messages.Has(c.MessageID) {
			return nil, nil
		}
	case AddNote:
		if s.Notes.Has(c.NoteID) {
			return nil, nil
		}
	case MergeInto:
		if c.IntoID == s.MergedInto {
			return nil, nil
		}
	}
	return nil, ErrMerged.WithHint("it goes on in conversation %s", s.MergedInto)
}

func (s State) receive(c ReceiveMessage) ([]events.Event, error) {
	if s.Messages.Has(c.MessageID) {
		return nil, nil
	}
	if c.CustomerID == "" {
		c.CustomerID = s.CustomerID
	}
	if err := text.ID("message_id", c.MessageID); err != nil {
		return nil, err
	}
	if err := text.ID("customer_id", c.CustomerID); err != nil {
		return nil, err
	}
	attachments, err := checkContent(c.Text, c.Attachments)
	if err != nil {
		return nil, err
	}
	out := []events.Event{
		events.ConversationMessageReceived{MessageID: c.MessageID, CustomerID: c.CustomerID, Text: c.Text, Attachments: attachments},
	}
	switch s.Status {
	case events.StatusClosed:
		out = append(out, events.ConversationReopened{Reason: ReasonCustomerWrote})
		out = append(out, s.excuse(ReasonReopened)...)
	case events.StatusSnoozed:
		out = append(out, events.ConversationWoke{Reason: ReasonCustomerWrote})
	case events.StatusOpen:
	}
	return out, nil
}

func (s State) write(c WriteMessage) ([]events.Event, error) {
	if s.Messages.Has(c.MessageID) {
		return nil, nil
	}
	if err := text.ID("message_id", c.MessageID); err != nil {
		return nil, err
	}
	if err := checkActor(c.Author); err != nil {
		return nil, err
	}
	attachments, err := checkContent(c.Text, c.Attachments)
	if err != nil {
		return nil, err
	}
	return one(events.ConversationMessageWritten{MessageID: c.MessageID, Author: c.Author, Text: c.Text, Attachments: attachments})
}

func (s State) note(c AddNote) ([]events.Event, error) {
	if s.Notes.Has(c.NoteID) {
		return nil, nil
	}
	if err := text.ID("note_id", c.NoteID); err != nil {
		return nil, err
	}
	if err := checkActor(c.Author); err != nil {
		return nil, err
	}
	attachments, err := checkContent(c.Text, c.Attachments)
	if err != nil {
		return nil, err
	}
	return one(events.ConversationNoteAdded{NoteID: c.NoteID, Author: c.Author, Text: c.Text, Attachments: attachments})
}

func (s State) markRead(c MarkRead) ([]events.Event, error) {
	if err := checkActor(c.Reader); err != nil {
		return nil, err
	}
	at, known := s.Messages.Index(c.MessageID)
	if !known {
		return nil, ErrMessageUnknown
	}
	if mark, marked := s.ReadUpTo[c.Reader]; marked && mark >= at {
		return nil, nil
	}
	return one(events.ConversationReadUpTo{Reader: c.Reader, MessageID: c.MessageID})
}

func (s State) mergeInto(c MergeInto) ([]events.Event, error) {
	if err := text.ID("into_id", c.IntoID); err != nil {
		return nil, err
	}
	if slices.Contains(s.Absorbed, c.IntoID) {
		return nil, refusal.ErrMergeIntoItself
	}
	reason, err := text.Reason(c.Reason)
	if err != nil {
		return nil, err
	}
	return append(s.excuse(ReasonMerged), events.ConversationMerged{IntoID: c.IntoID, Reason: reason}), nil
}

func (s State) absorb(c Absorb) ([]events.Event, error) {
	if slices.Contains(s.Absorbed, c.FromID) {
		return nil, nil
	}
	if err := text.ID("from_id", c.FromID); err != nil {
		return nil, err
	}
	reason, err := text.Reason(c.Reason)
	if err != nil {
		return nil, err
	}
	return one(events.ConversationAbsorbed{FromID: c.FromID, Reason: reason})
}

// decideField decides the commands that set one thing and do not ask for the status.
func (s State) decideField(c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case SetSubject:
		subject, err := text.Line("subject", c.Subject, text.MaxLine)
		if err != nil || subject == s.Subject {
			return nil, err
		}
		return one(events.ConversationSubjectSet{Subject: subject})
	case SetPriority:
		if !slices.Contains(events.Priorities, c.Priority) {
			return nil, refusal.ErrPriorityInvalid
		}
		reason, err := text.Reason(c.Reason)
		if err != nil || c.Priority == s.Priority {
			return nil, err
		}
		return one(events.ConversationPrioritySet{Priority: c.Priority, Reason: reason})
	case Tag:
		return s.tag(c)
	case Untag:
		return s.untag(c)
	case SetAttributes:
		news, err := attr.Decide(s.Attributes, c.Attributes)
		if err != nil || news == nil {
			return nil, err
		}
		return one(events.ConversationAttributesSet{Attributes: news})
	default:
		panic(fmt.Sprintf("conversation: no decision for %T", c))
	}
}

func (s State) tag(c Tag) ([]events.Event, error) {
	tag, err := text.Tag(c.Tag)
	if err != nil {
		return nil, err
	}
	reason, err := text.Line("reason", c.Reason, text.MaxReason)
	if err != nil {
		return nil, err
	}
	if _, there := slices.BinarySearch(s.Tags, tag); there {
		return nil, nil
	}
	if len(s.Tags) >= MaxTags {
		return nil, refusal.ErrConversationTags
	}
	return one(events.ConversationTagged{Tag: tag, Reason: reason})
}

func (s State) untag(c Untag) ([]events.Event, error) {
	tag, err := text.Tag(c.Tag)
	if err != nil {
		return nil, err
	}
	reason, err := text.Line("reason", c.Reason, text.MaxReason)
	if err != nil {
		return nil, err
	}
	if _, there := slices.BinarySearch(s.Tags, tag); !there {
		return nil, nil
	}
	return one(events.ConversationUntagged{Tag: tag, Reason: reason})
}

func one(e events.Event) ([]events.Event, error) { return []events.Event{e}, nil }

// checkActor takes every type of actor; automations and the system need no id.
func checkActor(a events.Actor) error {
	switch a.Type {
	case events.ActorAgent, events.ActorCustomer:
		if !events.ValidID(a.ID) {
			return refusal.ErrActorInvalid
		}
	case events.ActorRouting, events.ActorWorkflow, events.ActorImport, events.ActorSystem:
		if a.ID != "" && !events.ValidID(a.ID) {
			return refusal.ErrActorInvalid
		}
	default:
		return refusal.ErrActorInvalid
	}
	return nil
}

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// workCodes are those of the changes below.
var workCodes = []string{"conversation_not_found", "conversation_erased", "conversation_merged", "text_invalid"}

// registerWork makes known what desk and automations do with a conversation besides writing.
func (s *Service) registerWork() {
	const tag = "Conversations"
	put := func(id, path, summary string, codes ...string) operation {
		return operation{
			id: id, method: http.MethodPut, path: "/v1/conversations/{id}/" + path, tag: tag, summary: summary,
			codes: append(codes, workCodes...),
		}
	}
	add(s, put("set-assignee", "assignee", "Give a conversation to an agent, or to nobody", "conversation_closed"), s.setAssignee)
	add(s, put("set-status", "status", "Open, snooze or close a conversation", "conversation_closed", "conversation_snoozed", "snooze_invalid"), s.setStatus)
	add(s, put("set-priority", "priority", "Set the priority"), s.setPriority)
	add(s, put("set-queue", "queue", "Put a conversation in a queue", "conversation_closed"), s.setQueue)
	add(s, put("set-read", "read", "Say that you have read everything up to a message", "message_not_found"), s.setRead)
	add(s, put("set-subject", "subject", "Set the subject line"), s.setSubject)
	add(s, put("add-tag", "tags/{tag}", "Put a tag on", "tag_invalid", "conversation_tags_full"), s.addTag)
	add(s, operation{
		id: "remove-tag", method: http.MethodDelete, path: "/v1/conversations/{id}/tags/{tag}", tag: tag, summary: "Take a tag off",
		codes: append([]string{"tag_invalid"}, workCodes...),
	}, s.removeTag)
	add(s, operation{
		id: "set-attributes", method: http.MethodPatch, path: "/v1/conversations/{id}/attributes", tag: tag,
		summary: "Set attributes",
		doc:     "The body has strings, numbers and booleans by name; null removes one. Others stay as they are.",
		codes:   append([]string{"attributes_invalid"}, workCodes...),
	}, s.setAttributes)
}

// SetAssignee is the input of an assignment.
type SetAssignee struct {
	ChangeConversation
	Body struct {
		AgentID *string `json:"agent_id" required:"true" nullable:"true" maxLength:"64" doc:"null: nobody; the conversation waits in its queue."`
		Reason  string  `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) setAssignee(ctx context.Context, in *SetAssignee) (*Written[Done], error) {
	if in.Body.AgentID == nil {
		return s.change(ctx, in.ChangeConversation, in.Body, conversation.Unassign{Reason: in.Body.Reason})
	}
	if a, ok := s.Directory.Agent(callerOf(ctx).OrgID, *in.Body.AgentID); !ok || a.Deactivated {
		return s.refuse(ctx, in.ChangeConversation, in.Body, wrong("body.agent_id", "is no agent who works at the desk"))
	}
	return s.change(ctx, in.ChangeConversation, in.Body, conversation.Assign{AgentID: *in.Body.AgentID, Reason: in.Body.Reason})
}

// SetStatus is the input of a change of status.
type SetStatus struct {
	ChangeConversation
	Body struct {
		Status events.Status `json:"status" enum:"open,snoozed,closed"`
		Until  *time.Time    `json:"until,omitempty" doc:"When a snooze ends; needed for snoozed, and for nothing else."`
		Reason string        `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) setStatus(ctx context.Context, in *SetStatus) (*Written[Done], error) {
	if (in.Body.Until != nil) != (in.Body.Status == events.StatusSnoozed) {
		return nil, wrong("body.until", "is needed for the status snoozed, and for no other")
	}
	var c conversation.Command
	switch in.Body.Status {
	case events.StatusSnoozed:
		c = conversation.Snooze{Until: *in.Body.Until, Now: s.Clock(), Reason: in.Body.Reason}
	case events.StatusClosed:
		c = conversation.Close{Reason: in.Body.Reason}
	default:
		c = conversation.Reopen{Reason: in.Body.Reason}
	}
	return s.change(ctx, in.ChangeConversation, in.Body, c)
}

// SetPriority is the input of a change of priority.
type SetPriority struct {
	ChangeConversation
	Body struct {
		Priority events.Priority `json:"priority" enum:"low,normal,high,urgent"`
		Reason   string          `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) setPriority(ctx context.Context, in *SetPriority) (*Written[Done], error) {
	return s.change(ctx, in.ChangeConversation, in.Body, conversation.SetPriority{Priority: in.Body.Priority, Reason: in.Body.Reason})
}

// SetQueue is the input of a move to a queue.
type SetQueue struct {
	ChangeConversation
	Body struct {
		QueueID string `json:"queue_id" minLength:"1" maxLength:"64"`
		Reason  string `json:"reason,omitempty" maxLength:"200"`
	}
}

func (s *Service) setQueue(ctx context.Context, in *SetQueue) (*Written[Done], error) {
	if q, ok := s.Directory.Queue(callerOf(ctx).OrgID, in.Body.QueueID); !ok || q.Archived {
		return s.refuse(ctx, in.ChangeConversation, in.Body, wrong("body.queue_id", "is no queue that takes conversations"))
	}
	return s.change(ctx, in.ChangeConversation, in.Body, conversation.Queue{QueueID: in.Body.QueueID, Reason: in.Body.Reason})
}

// SetRead is the input of a read mark. It never goes back.
type SetRead struct {
	ChangeConversation
	Body struct {
		MessageID string `json:"message_id" minLength:"1" maxLength:"64"`
	}
}

func (s *Service) setRead(ctx context.Context, in *SetRead) (*Written[Done], error) {
	return s.change(ctx, in.ChangeConversation, in.Body, conversation.MarkRead{Reader: callerOf(ctx).actor(), MessageID: in.Body.MessageID})
}

// SetSubject is the input of a new subject line.
type SetSubject struct {
	ChangeConversation
	Body struct {
		Subject string `json:"subject" maxLength:"500"`
	}
}

func (s *Service) setSubject(ctx context.Context, in *SetSubject) (*Written[Done], error) {
	return s.change(ctx, in.ChangeConversation, in.Body, conversation.SetSubject{Subject: in.Body.Subject})
}

// TagInput names a tag of a conversation.
type TagInput struct {
	ChangeConversation
	Tag string `path:"tag" maxLength:"64" doc:"Kept in lower case."`
}

func (s *Service) addTag(ctx context.Context, in *TagInput) (*Written[Done], error) {
	return s.change(ctx, in.ChangeConversation, nil, conversation.Tag{Tag: in.Tag})
}

func (s *Service) removeTag(ctx context.Context, in *TagInput) (*Written[Done], error) {
	return s.change(ctx, in.ChangeConversation, nil, conversation.Untag{Tag: in.Tag})
}

// SetAttributes is the input of a change of attributes.
type SetAttributes struct {
	ChangeConversation
	Body map[string]any
}

func (s *Service) setAttributes(ctx context.Context, in *SetAttributes) (*Written[Done], error) {
	return s.change(ctx, in.ChangeConversation, in.Body, conversation.SetAttributes{Attributes: in.Body})
}

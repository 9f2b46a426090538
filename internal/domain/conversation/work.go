package conversation

import (
	"fmt"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

const longestSnooze = 10 * 366 * 24 * time.Hour

// decideWork decides who works on the conversation.
func (s State) decideWork(c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case Queue:
		return s.queue(c)
	case Assign:
		if err := text.ID("agent_id", c.AgentID); err != nil {
			return nil, err
		}
		if s.Status == events.StatusClosed {
			return nil, ErrClosed
		}
		return s.assign(c.AgentID, c.Reason)
	case RouteTo:
		return s.routeTo(c)
	case Unassign:
		return s.unassign(c.Reason)
	case UnassignFrom:
		if s.AssigneeID != c.AgentID {
			return nil, nil
		}
		return s.unassign(c.Reason)
	default:
		panic(fmt.Sprintf("conversation: no decision for %T", c))
	}
}

func (s State) queue(c Queue) ([]events.Event, error) {
	if err := text.ID("queue_id", c.QueueID); err != nil {
		return nil, err
	}
	reason, err := text.Reason(c.Reason)
	if err != nil {
		return nil, err
	}
	if s.Status == events.StatusClosed {
		return nil, ErrClosed
	}
	if c.QueueID == s.QueueID {
		return nil, nil
	}
	queued := events.ConversationQueued{QueueID: c.QueueID, Reason: reason}
	if s.AssigneeID == "" || s.QueueID == "" {
		return one(queued)
	}
	return []events.Event{events.ConversationUnassigned{AgentID: s.AssigneeID, Reason: ReasonQueued}, queued}, nil
}

func (s State) routeTo(c RouteTo) ([]events.Event, error) {
	if err := text.ID("agent_id", c.AgentID); err != nil {
		return nil, err
	}
	switch {
	case s.AssigneeID == c.AgentID && s.Status != events.StatusClosed:
		return nil, nil
	case s.Status == events.StatusClosed:
		return nil, ErrClosed
	case s.Status == events.StatusSnoozed:
		return nil, ErrSnoozed
	case s.AssigneeID != "":
		return nil, ErrAssigned
	case s.QueueID != c.QueueID:
		return nil, ErrNotInQueue
	}
	return s.assign(c.AgentID, c.Reason)
}

func (s State) assign(agentID, why string) ([]events.Event, error) {
	reason, err := text.Reason(why)
	if err != nil || s.AssigneeID == agentID {
		return nil, err
	}
	return one(events.ConversationAssigned{AgentID: agentID, Reason: reason})
}

func (s State) unassign(why string) ([]events.Event, error) {
	reason, err := text.Reason(why)
	if err != nil || s.AssigneeID == "" {
		return nil, err
	}
	return one(events.ConversationUnassigned{AgentID: s.AssigneeID, Reason: reason})
}

// decideStatus decides whether the conversation is open, sleeps or is done.
func (s State) decideStatus(c Command) ([]events.Event, error) {
	switch c := c.(type) {
	case Snooze:
		return s.snooze(c)
	case Wake:
		reason, err := text.Reason(c.Reason)
		if err != nil || s.Status != events.StatusSnoozed {
			return nil, err
		}
		return one(events.ConversationWoke{Reason: reason})
	case Close:
		reason, err := text.Reason(c.Reason)
		if err != nil || s.Status == events.StatusClosed {
			return nil, err
		}
		return one(events.ConversationClosed{Reason: reason})
	case Reopen:
		reason, err := text.Reason(c.Reason)
		switch {
		case err != nil || s.Status == events.StatusOpen:
			return nil, err
		case s.Status == events.StatusSnoozed:
			return one(events.ConversationWoke{Reason: reason})
		}
		return append([]events.Event{events.ConversationReopened{Reason: reason}}, s.excuse(ReasonReopened)...), nil
	default:
		panic(fmt.Sprintf("conversation: no decision for %T", c))
	}
}

func (s State) snooze(c Snooze) ([]events.Event, error) {
	reason, err := text.Line("reason", c.Reason, text.MaxReason)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Status == events.StatusClosed:
		return nil, ErrClosed
	case s.Status == events.StatusSnoozed && s.Until.Equal(c.Until):
		return nil, nil
	case !c.Until.After(c.Now), c.Until.Sub(c.Now) > longestSnooze:
		return nil, refusal.ErrSnoozeInvalid
	}
	return one(events.ConversationSnoozed{Until: c.Until.UTC(), Reason: reason})
}

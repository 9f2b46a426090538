package survey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/projections"
)

// performer turns what is owed into commands. What comes of them is decided by the conversation and is in the log.
type performer struct {
	conversations *Conversations
	clock         func() time.Time
}

func (p *performer) perform(ctx context.Context, i projections.Intent) error {
	switch i.Kind {
	case intentAsk:
		var a asking
		if err := json.Unmarshal(i.Payload, &a); err != nil {
			return fmt.Errorf("payload of %s: %w", i.ID, err)
		}
		return p.handle(ctx, i, a.ConversationID, conversation.RequestSurvey{
			SurveyID: a.SurveyID, Closing: a.Closing, Question: a.Question, ChannelID: a.ChannelID, ExpiresAt: p.clock().Add(a.lasts()),
		})
	case intentExpire:
		var e expiring
		if err := json.Unmarshal(i.Payload, &e); err != nil {
			return fmt.Errorf("payload of %s: %w", i.ID, err)
		}
		return p.handle(ctx, i, e.ConversationID, conversation.ExpireSurvey{SurveyID: e.SurveyID})
	default:
		return fmt.Errorf("intent %s: this version does not know the kind %q", i.ID, i.Kind)
	}
}

// handle gives a command to a conversation. Of an erased one nothing is owed. Any other refusal would mean that the count
// of its closings is wrong: it is not recorded as done, but waits for an operator as a failed intent.
func (p *performer) handle(ctx context.Context, i projections.Intent, id string, c conversation.Command) error {
	meta := command.Meta{ID: i.ID, Actor: events.Actor{Type: events.ActorSystem, ID: Name}, Depth: i.Depth, Cause: i.Cause}
	_, err := p.conversations.Handle(ctx, i.Org, id, meta, c)
	if err != nil && !errors.Is(err, conversation.ErrErased) {
		return fmt.Errorf("command %s: %w", i.ID, err)
	}
	return nil
}

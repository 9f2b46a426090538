package channel

import (
	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// RevokeSessions ends the sessions of all visitors, whatever they were opened with. After is the epoch that is ended: when
// another has begun since, two have asked for the same, and it is nothing new.
type RevokeSessions struct {
	After  int
	Reason string
}

func (RevokeSessions) channelCommand() {}

func (s State) revokeSessions(c RevokeSessions) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	switch {
	case err != nil:
		return nil, err
	case s.Type != events.ChannelChat:
		return nil, refusal.ErrChannelNotChat
	case c.After != s.SessionEpoch:
		return nil, nil
	}
	return one(events.ChannelSessionsRevoked{Epoch: s.SessionEpoch + 1, Reason: reason})
}

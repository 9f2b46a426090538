package channel

import (
	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// RotateIdentitySecret makes a new secret with which the site proves who its visitors are. The one before goes on to hold,
// so that the site can change over; the one before that ends. After is the version that it follows, 0 for none: when another
// has come since, two have asked for the same, and it is nothing new.
type RotateIdentitySecret struct {
	After  int
	Reason string
}

// RequireIdentity refuses visitors without proof. It needs a secret, or nobody could come in.
type RequireIdentity struct{ Reason string }

// AllowAnonymous takes visitors without proof again.
type AllowAnonymous struct{ Reason string }

func (RotateIdentitySecret) channelCommand() {}
func (RequireIdentity) channelCommand()      {}
func (AllowAnonymous) channelCommand()       {}

func (s State) rotateIdentitySecret(c RotateIdentitySecret) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	switch {
	case err != nil:
		return nil, err
	case s.Type != events.ChannelChat:
		return nil, refusal.ErrChannelNotChat
	case c.After != s.IdentityVersion:
		return nil, nil
	}
	return one(events.ChannelIdentitySecretRotated{Version: s.IdentityVersion + 1, Reason: reason})
}

func (s State) requireIdentity(c RequireIdentity) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	switch {
	case err != nil || s.IdentityRequired:
		return nil, err
	case s.Type != events.ChannelChat:
		return nil, refusal.ErrChannelNotChat
	case s.IdentityVersion == 0:
		return nil, refusal.ErrIdentitySecretMissing
	}
	return one(events.ChannelIdentityRequired{Reason: reason})
}

func (s State) allowAnonymous(c AllowAnonymous) ([]events.Event, error) {
	reason, err := text.Reason(c.Reason)
	if err != nil || !s.IdentityRequired {
		return nil, err
	}
	return one(events.ChannelAnonymousAllowed{Reason: reason})
}

// Package channel decides what may happen to a channel, a way for customers to reach the desk.
package channel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// MaxOrigins is how many web origins a channel may list.
const MaxOrigins = 100

// State is what deciding asks.
type State struct {
	Exists   bool
	Type     events.Channel
	Name     string
	Origins  []string // sorted; shared, never changed in place
	Disabled bool

	IdentityVersion  int // of the secret that was made last; 0: there is none
	IdentityRequired bool
	SessionEpoch     int // how often all sessions were revoked
	Survey           events.ChannelSurveySet
	Chat             Chat
}

// Command is one of the commands below.
type Command interface{ channelCommand() }

// Create sets the channel up. The same type and name again is nothing new.
type Create struct {
	Type    events.Channel
	Name    string
	SiteKey string // for chat, and only there: the public name by which a widget finds the channel
}

// Rename gives the channel another name.
type Rename struct{ Name string }

// SetOrigins replaces the web origins that may open chat sessions; none: any.
type SetOrigins struct{ Origins []string }

// Disable stops the channel.
type Disable struct{ Reason string }

// Enable starts the channel again.
type Enable struct{ Reason string }

func (Create) channelCommand()     {}
func (Rename) channelCommand()     {}
func (SetOrigins) channelCommand() {}
func (Disable) channelCommand()    {}
func (Enable) channelCommand()     {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.ChannelCreated:
		s.Exists, s.Type, s.Name = true, e.Type, e.Name
	case events.ChannelRenamed:
		s.Name = e.Name
	case events.ChannelOriginsSet:
		s.Origins = slices.Clone(e.Origins)
	case events.ChannelSurveySet:
		s.Survey = e
	case events.ChannelDisabled:
		s.Disabled = true
	case events.ChannelEnabled:
		s.Disabled = false
	case events.ChannelIdentitySecretRotated:
		s.IdentityVersion = e.Version
	case events.ChannelSessionsRevoked:
		s.SessionEpoch = e.Epoch
	case events.ChannelIdentityRequired:
		s.IdentityRequired = true
	case events.ChannelAnonymousAllowed:
		s.IdentityRequired = false
	default:
		s.Chat = s.Chat.evolve(e)
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	if c, ok := c.(Create); ok {
		return s.create(c)
	}
	if !s.Exists {
		return nil, refusal.ErrChannelNotFound
	}
	switch c := c.(type) {
	case Rename:
		name, err := text.Name("name", c.Name)
		if err != nil || name == s.Name {
			return nil, err
		}
		return one(events.ChannelRenamed{Name: name})
	case SetOrigins:
		return s.setOrigins(c)
	case SetSurvey:
		return s.setSurvey(c)
	case Disable:
		reason, err := text.Reason(c.Reason)
		if err != nil || s.Disabled {
			return nil, err
		}
		return one(events.ChannelDisabled{Reason: reason})
	case Enable:
		reason, err := text.Reason(c.Reason)
		if err != nil || !s.Disabled {
			return nil, err
		}
		return one(events.ChannelEnabled{Reason: reason})
	case RotateIdentitySecret:
		return s.rotateIdentitySecret(c)
	case RequireIdentity:
		return s.requireIdentity(c)
	case AllowAnonymous:
		return s.allowAnonymous(c)
	case RevokeSessions:
		return s.revokeSessions(c)
	case chatCommand:
		if s.Type != events.ChannelChat {
			return nil, refusal.ErrChannelNotChat
		}
		return c.change(s.Chat)
	default:
		panic(fmt.Sprintf("channel: no decision for %T", c))
	}
}

func (s State) create(c Create) ([]events.Event, error) {
	name, err := text.Name("name", c.Name)
	switch {
	case err != nil:
		return nil, err
	case s.Exists && s.Type == c.Type && s.Name == name:
		return nil, nil
	case s.Exists:
		return nil, refusal.ErrChannelExists
	case !slices.Contains(events.Channels, c.Type):
		return nil, refusal.ErrChannelInvalid
	case c.Type == events.ChannelChat && !events.ValidID(c.SiteKey), c.Type != events.ChannelChat && c.SiteKey != "":
		return nil, refusal.ErrSiteKeyInvalid
	}
	return one(events.ChannelCreated{Type: c.Type, Name: name, SiteKey: c.SiteKey})
}

func (s State) setOrigins(c SetOrigins) ([]events.Event, error) {
	if len(c.Origins) > MaxOrigins {
		return nil, refusal.ErrOriginsInvalid
	}
	origins := make([]string, 0, len(c.Origins))
	for _, o := range c.Origins {
		o, ok := origin(o)
		if !ok {
			return nil, refusal.ErrOriginsInvalid
		}
		origins = append(origins, o)
	}
	slices.Sort(origins)
	origins = slices.Compact(origins)
	if slices.Equal(origins, s.Origins) {
		return nil, nil
	}
	return one(events.ChannelOriginsSet{Origins: origins})
}

// origin takes scheme://host[:port] as a browser sends it: in lower case, nothing behind it.
func origin(s string) (string, bool) {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "/")
	host, https := strings.CutPrefix(s, "https://")
	if !https {
		var plain bool
		if host, plain = strings.CutPrefix(s, "http://"); !plain {
			return "", false
		}
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port := host[i+1:]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", false
		}
		host = host[:i]
	}
	ok := host != "" && len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-[:]", r)
	})
	return s, ok
}

func one(e events.Event) ([]events.Event, error) { return []events.Event{e}, nil }

package channel

import (
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The limits of what a chat channel is set to.
const (
	MaxChatText  = 1_000 // characters of a greeting or an away text
	MaxLanguages = 50
)

// Chat is how a chat channel is set, beyond its origins. The slices are shared, never changed in place.
type Chat struct {
	Greeting  string
	AwayText  string
	Theme     events.ChannelTheme // zero: events.DefaultTheme
	Languages events.ChannelLanguages
	Form      []events.PreChatField
	Hours     events.OfficeHours
}

// chatCommand is a command that only a chat channel takes.
type chatCommand interface {
	Command
	change(have Chat) ([]events.Event, error)
}

// SetGreeting replaces what a visitor reads before anybody wrote; empty: nothing.
type SetGreeting struct{ Greeting string }

// SetAwayText replaces what a visitor reads outside of office hours; empty: nothing.
type SetAwayText struct{ AwayText string }

// SetTheme changes how the chat looks. A part that is empty stays as it is.
type SetTheme struct{ events.ChannelTheme }

// SetLanguages replaces the languages, in the order in which they are offered; none: whatever the widget has. Without a
// default, the first is it.
type SetLanguages struct{ events.ChannelLanguages }

func (SetGreeting) channelCommand()  {}
func (SetAwayText) channelCommand()  {}
func (SetTheme) channelCommand()     {}
func (SetLanguages) channelCommand() {}

func (h Chat) evolve(e events.Event) Chat {
	switch e := e.(type) {
	case events.ChannelGreetingSet:
		h.Greeting = e.Greeting
	case events.ChannelAwayTextSet:
		h.AwayText = e.AwayText
	case events.ChannelThemeSet:
		h.Theme = e.ChannelTheme
	case events.ChannelLanguagesSet:
		h.Languages = e.ChannelLanguages
	case events.ChannelPreChatFormSet:
		h.Form = e.Fields
	case events.ChannelOfficeHoursSet:
		h.Hours = e.OfficeHours
	}
	return h
}

func (c SetGreeting) change(have Chat) ([]events.Event, error) {
	greeting, err := text.Lines("greeting", c.Greeting, MaxChatText)
	if err != nil || greeting == have.Greeting {
		return nil, err
	}
	return one(events.ChannelGreetingSet{Greeting: greeting})
}

func (c SetAwayText) change(have Chat) ([]events.Event, error) {
	away, err := text.Lines("away_text", c.AwayText, MaxChatText)
	if err != nil || away == have.AwayText {
		return nil, err
	}
	return one(events.ChannelAwayTextSet{AwayText: away})
}

func (c SetTheme) change(have Chat) ([]events.Event, error) {
	next := have.Theme
	if next == (events.ChannelTheme{}) {
		next = events.DefaultTheme
	}
	if c.Colour != "" {
		next.Colour = strings.ToLower(c.Colour)
	}
	if c.Position != "" {
		next.Position = c.Position
	}
	if c.Mode != "" {
		next.Mode = c.Mode
	}
	if !colour(next.Colour) || !slices.Contains(events.ThemePositions, next.Position) || !slices.Contains(events.ThemeModes, next.Mode) {
		return nil, refusal.ErrThemeInvalid.WithFields(fault.Field{Location: "theme", Message: refusal.ErrThemeInvalid.Message})
	}
	if c.ChannelTheme == (events.ChannelTheme{}) || next == have.Theme {
		return nil, nil
	}
	return one(events.ChannelThemeSet{ChannelTheme: next})
}

func colour(s string) bool {
	digits, ok := strings.CutPrefix(s, "#")
	return ok && len(digits) == 6 && strings.Trim(digits, "0123456789abcdef") == ""
}

func (c SetLanguages) change(have Chat) ([]events.Event, error) {
	next := events.ChannelLanguages{Languages: make([]string, 0, len(c.Languages)), Default: canonical(c.Default)}
	ok := len(c.Languages) <= MaxLanguages
	for _, l := range c.Languages {
		l = canonical(l)
		ok = ok && language(l)
		if !slices.Contains(next.Languages, l) {
			next.Languages = append(next.Languages, l)
		}
	}
	if next.Default == "" && len(next.Languages) > 0 {
		next.Default = next.Languages[0]
	}
	if !ok || next.Default != "" && !slices.Contains(next.Languages, next.Default) {
		return nil, refusal.ErrLanguagesInvalid.WithFields(fault.Field{Location: "languages", Message: refusal.ErrLanguagesInvalid.Message})
	}
	if next.Default == have.Languages.Default && slices.Equal(next.Languages, have.Languages.Languages) {
		return nil, nil
	}
	return one(events.ChannelLanguagesSet{ChannelLanguages: next})
}

// canonical writes a tag as BCP 47 advises: the language small, a script with a capital, a region in capitals.
func canonical(tag string) string {
	parts := strings.Split(strings.ToLower(strings.TrimSpace(tag)), "-")
	for i, p := range parts[1:] {
		switch {
		case len(p) == 2:
			parts[i+1] = strings.ToUpper(p)
		case len(p) == 4 && p[0] >= 'a':
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "-")
}

// language takes a canonical tag of a language, perhaps with a script, perhaps with a region.
func language(tag string) bool {
	parts := strings.Split(tag, "-")
	const small, capitals, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	only := func(s, of string) bool { return strings.Trim(s, of) == "" }
	if n := len(parts[0]); n < 2 || n > 3 || !only(parts[0], small) {
		return false
	}
	rest := parts[1:]
	if len(rest) > 0 && len(rest[0]) == 4 && only(rest[0][:1], capitals) && only(rest[0][1:], small) {
		rest = rest[1:]
	}
	if len(rest) > 0 && (len(rest[0]) == 2 && only(rest[0], capitals) || len(rest[0]) == 3 && only(rest[0], digits)) {
		rest = rest[1:]
	}
	return len(rest) == 0
}

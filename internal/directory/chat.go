package directory

import "github.com/tidemark-desk/tidemark/events"

// Chat is how a chat channel is set, beyond its origins.
type Chat struct {
	Greeting    string
	Theme       events.ChannelTheme // the default one when none was set
	Languages   events.ChannelLanguages
	PreChatForm []events.PreChatField
	Hours       Hours
	AwayText    string // said while the hours are closed
}

// evolve is the chat after an event of its channel.
func (c Chat) evolve(e events.Event) Chat {
	switch e := e.(type) {
	case events.ChannelCreated:
		c.Theme = events.DefaultTheme
	case events.ChannelGreetingSet:
		c.Greeting = e.Greeting
	case events.ChannelThemeSet:
		c.Theme = e.ChannelTheme
	case events.ChannelLanguagesSet:
		c.Languages = e.ChannelLanguages
	case events.ChannelPreChatFormSet:
		c.PreChatForm = e.Fields
	case events.ChannelOfficeHoursSet:
		c.Hours = hoursOf(e.OfficeHours)
	case events.ChannelAwayTextSet:
		c.AwayText = e.AwayText
	}
	return c
}

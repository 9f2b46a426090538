package channel_test

import (
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[channel.State, channel.Command]{
		Kind: events.KindChannel, Evolve: channel.Evolve, Decide: channel.Decide, Given: created,
		Commands: []channel.Command{
			channel.Create{},
			channel.Rename{},
			channel.SetOrigins{},
			channel.Disable{},
			channel.Enable{},
			channel.RotateIdentitySecret{},
			channel.RequireIdentity{},
			channel.AllowAnonymous{},
			channel.RevokeSessions{},
			channel.SetSurvey{},
			channel.SetGreeting{},
			channel.SetAwayText{},
			channel.SetTheme{},
			channel.SetLanguages{},
			channel.SetPreChatForm{},
			channel.SetOfficeHours{},
		},
		Fields: domaintest.Fields{
			"Type":    {events.ChannelChat, events.ChannelEmail, events.Channel("pigeon")},
			"SiteKey": {"", "site", "no.key"},
			"Origins": {"https://acme.example", "HTTPS://acme.example/", "http://localhost:8080", "acme.example"},

			"Colour":    {"", "#1d4ed8", "#FF0000", "red"},
			"Position":  {events.ThemePosition(""), events.PositionLeft, events.PositionRight, events.ThemePosition("top")},
			"Mode":      {events.ThemeMode(""), events.ModeAuto, events.ModeDark, events.ThemeMode("grey")},
			"Languages": {"en", "de", "PT-br", "english"},
			"Default":   {"", "en", "de", "fr"},
			"Input":     {events.PreChatInput(""), events.InputText, events.InputEmail, events.InputChoice, events.PreChatInput("file")},
			"Options":   {"red", "blue"},
			"Timezone":  {"", "UTC", "Europe/Berlin", "../etc"},
			"Day":       {"monday", "tuesday", "sunday", "Monday"},
			"From":      {"00:00", "09:00", "11:30", "9:00"},
			"To":        {"12:00", "17:00", "24:00", "24:01"},
		},
		Holds: func(s channel.State) bool { return slices.IsSorted(s.Origins) },
	})
}

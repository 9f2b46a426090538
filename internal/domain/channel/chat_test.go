package channel_test

import (
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func TestChat(t *testing.T) {
	t.Parallel()
	mail := is(events.ChannelCreated{Type: events.ChannelEmail, Name: "Mail"})
	theme := func(colour string, p events.ThemePosition, m events.ThemeMode) events.ChannelTheme {
		return events.ChannelTheme{Colour: colour, Position: p, Mode: m}
	}
	languages := func(first string, all ...string) events.ChannelLanguages {
		return events.ChannelLanguages{Languages: append([]string{}, all...), Default: first}
	}
	greeting, away := events.ChannelGreetingSet{Greeting: "Hello!\nHow are you?"}, events.ChannelAwayTextSet{AwayText: "Back soon"}
	red, spoken := events.ChannelThemeSet{ChannelTheme: theme("#ff0000", "right", "auto")}, events.ChannelLanguagesSet{ChannelLanguages: languages("de", "pt-BR", "de")}
	run(t, []row{
		{"greeting", created, channel.SetGreeting{Greeting: " Hello!\nHow are you? "}, is(greeting), nil},
		{"same greeting", has(greeting), channel.SetGreeting{Greeting: greeting.Greeting}, nil, nil},
		{"no greeting", has(greeting), channel.SetGreeting{}, is(events.ChannelGreetingSet{}), nil},
		{"long greeting", created, channel.SetGreeting{Greeting: strings.Repeat("é", channel.MaxChatText+1)}, nil, refusal.ErrTextInvalid},
		{"greeting of mail", mail, channel.SetGreeting{Greeting: "Hello"}, nil, refusal.ErrChannelNotChat},
		{"greeting of nothing", nil, channel.SetGreeting{Greeting: "Hello"}, nil, refusal.ErrChannelNotFound},
		{"away text", created, channel.SetAwayText{AwayText: "Back soon"}, is(away), nil},
		{"same away text", has(away), channel.SetAwayText{AwayText: "Back soon"}, nil, nil},

		{"colour alone", created, channel.SetTheme{ChannelTheme: theme("#FF0000", "", "")}, is(red), nil},
		{"the rest stays", has(red), channel.SetTheme{ChannelTheme: theme("", "left", "dark")}, is(events.ChannelThemeSet{ChannelTheme: theme("#ff0000", "left", "dark")}), nil},
		{"same colour", has(red), channel.SetTheme{ChannelTheme: theme("#ff0000", "", "auto")}, nil, nil},
		{"nothing of a theme", created, channel.SetTheme{}, nil, nil},
		{"no colour", created, channel.SetTheme{ChannelTheme: theme("red", "", "")}, nil, refusal.ErrThemeInvalid},
		{"colour with more behind it", created, channel.SetTheme{ChannelTheme: theme("#ff0000;x", "", "")}, nil, refusal.ErrThemeInvalid},
		{"no position", created, channel.SetTheme{ChannelTheme: theme("", "top", "")}, nil, refusal.ErrThemeInvalid},
		{"no mode", created, channel.SetTheme{ChannelTheme: theme("", "", "grey")}, nil, refusal.ErrThemeInvalid},

		{"languages", created, channel.SetLanguages{ChannelLanguages: languages("DE", "PT-br", "de", "pt-BR")}, is(spoken), nil},
		{"same languages", has(spoken), channel.SetLanguages{ChannelLanguages: languages("de", "pt-BR", "de")}, nil, nil},
		{"the first is the default", created, channel.SetLanguages{ChannelLanguages: languages("", "zh-hant-tw", "es-419")}, is(events.ChannelLanguagesSet{ChannelLanguages: languages("zh-Hant-TW", "zh-Hant-TW", "es-419")}), nil},
		{"any language", has(spoken), channel.SetLanguages{}, is(events.ChannelLanguagesSet{ChannelLanguages: languages("")}), nil},
		{"default that is not offered", created, channel.SetLanguages{ChannelLanguages: languages("fr", "de")}, nil, refusal.ErrLanguagesInvalid},
		{"no tag", created, channel.SetLanguages{ChannelLanguages: languages("", "english")}, nil, refusal.ErrLanguagesInvalid},
		{"empty tag", created, channel.SetLanguages{ChannelLanguages: languages("", "")}, nil, refusal.ErrLanguagesInvalid},
		{"too many languages", created, channel.SetLanguages{ChannelLanguages: languages("", strings.Fields(strings.Repeat("de ", 51))...)}, nil, refusal.ErrLanguagesInvalid},
	})
}

func TestPreChatForm(t *testing.T) {
	t.Parallel()
	form := func(all ...events.PreChatField) channel.SetPreChatForm { return channel.SetPreChatForm{Fields: all} }
	email := events.PreChatField{Name: "email", Input: events.InputEmail, Required: true}
	size := events.PreChatField{Name: "size", Label: "Size", Input: events.InputChoice, Options: []string{"S", "L"}}
	set := events.ChannelPreChatFormSet{Fields: []events.PreChatField{email, size}}
	run(t, []row{
		{"form", created, form(events.PreChatField{Name: "email", Required: true}, events.PreChatField{Name: "size", Label: " Size ", Input: "choice", Options: []string{"S ", "L"}}), is(set), nil},
		{"same form", has(set), form(email, size), nil, nil},
		{"another order", has(set), form(size, email), is(events.ChannelPreChatFormSet{Fields: []events.PreChatField{size, email}}), nil},
		{"no longer required", has(set), form(events.PreChatField{Name: "email"}, size), is(events.ChannelPreChatFormSet{Fields: []events.PreChatField{{Name: "email", Input: "email"}, size}}), nil},
		{"text goes without saying", created, form(events.PreChatField{Name: "order", Label: "Order"}), is(events.ChannelPreChatFormSet{Fields: []events.PreChatField{{Name: "order", Label: "Order", Input: "text"}}}), nil},
		{"no form", has(set), form(), is(events.ChannelPreChatFormSet{Fields: []events.PreChatField{}}), nil},
		{"none is there", created, form(), nil, nil},
		{"twice", created, form(email, email), nil, refusal.ErrPreChatInvalid},
		{"no name", created, form(events.PreChatField{Label: "Size"}), nil, refusal.ErrPreChatInvalid},
		{"no label", created, form(events.PreChatField{Name: "size"}), nil, refusal.ErrPreChatInvalid},
		{"no input", created, form(events.PreChatField{Name: "size", Label: "Size", Input: "file"}), nil, refusal.ErrPreChatInvalid},
		{"email as text", created, form(events.PreChatField{Name: "email", Input: events.InputText}), nil, refusal.ErrPreChatInvalid},
		{"choice of nothing", created, form(events.PreChatField{Name: "size", Label: "Size", Input: "choice"}), nil, refusal.ErrPreChatInvalid},
		{"options of a text", created, form(events.PreChatField{Name: "size", Label: "Size", Options: []string{"S"}}), nil, refusal.ErrPreChatInvalid},
		{"option twice", created, form(events.PreChatField{Name: "size", Label: "Size", Input: "choice", Options: []string{"S", "S "}}), nil, refusal.ErrPreChatInvalid},
		{"label with a control character", created, form(events.PreChatField{Name: "size", Label: "a\x00b"}), nil, refusal.ErrTextInvalid},
		{"too many fields", created, form(make([]events.PreChatField, channel.MaxFields+1)...), nil, refusal.ErrPreChatInvalid},
	})
}

func TestOfficeHours(t *testing.T) {
	t.Parallel()
	hours := func(zone string, all ...events.OfficeInterval) events.OfficeHours {
		return events.OfficeHours{Timezone: zone, Weekly: append([]events.OfficeInterval{}, all...)}
	}
	set := func(h events.OfficeHours) channel.SetOfficeHours { return channel.SetOfficeHours{OfficeHours: h} }
	morning, afternoon := events.OfficeInterval{Day: "monday", From: "09:00", To: "12:00"}, events.OfficeInterval{Day: "monday", From: "13:00", To: "17:30"}
	night, next := events.OfficeInterval{Day: "monday", From: "22:00", To: "24:00"}, events.OfficeInterval{Day: "tuesday", From: "00:00", To: "02:00"}
	berlin := events.ChannelOfficeHoursSet{OfficeHours: hours("Europe/Berlin", morning, afternoon)}
	run(t, []row{
		{"hours", created, set(hours("Europe/Berlin", afternoon, morning)), is(berlin), nil},
		{"same hours", has(berlin), set(hours("Europe/Berlin", morning, afternoon)), nil, nil},
		{"the zone stays", has(berlin), set(hours("", morning)), is(events.ChannelOfficeHoursSet{OfficeHours: hours("Europe/Berlin", morning)}), nil},
		{"another zone", has(berlin), set(hours("UTC", morning, afternoon)), is(events.ChannelOfficeHoursSet{OfficeHours: hours("UTC", morning, afternoon)}), nil},
		{"always", has(berlin), set(hours("")), is(events.ChannelOfficeHoursSet{OfficeHours: hours("Europe/Berlin")}), nil},
		{"always is how it begins", created, set(hours("")), nil, nil},
		{
			"those that meet become one", created,
			set(hours("UTC", morning, events.OfficeInterval{Day: "monday", From: "12:00", To: "13:00"}, events.OfficeInterval{Day: "monday", From: "10:00", To: "11:00"})),
			is(events.ChannelOfficeHoursSet{OfficeHours: hours("UTC", events.OfficeInterval{Day: "monday", From: "09:00", To: "13:00"})}), nil,
		},
		{"a night stays two", created, set(hours("UTC", next, night)), is(events.ChannelOfficeHoursSet{OfficeHours: hours("UTC", night, next)}), nil},
		{"no zone", created, set(hours("", morning)), nil, refusal.ErrHoursInvalid},
		{"a path for a zone", created, set(hours("../etc", morning)), nil, refusal.ErrTimezoneInvalid},
		{"no day", created, set(hours("UTC", events.OfficeInterval{Day: "Monday", From: "09:00", To: "10:00"})), nil, refusal.ErrHoursInvalid},
		{"ends before it starts", created, set(hours("UTC", events.OfficeInterval{Day: "monday", From: "22:00", To: "02:00"})), nil, refusal.ErrHoursInvalid},
		{"ends when it starts", created, set(hours("UTC", events.OfficeInterval{Day: "monday", From: "22:00", To: "22:00"})), nil, refusal.ErrHoursInvalid},
		{"no minute", created, set(hours("UTC", events.OfficeInterval{Day: "monday", From: "09:60", To: "10:00"})), nil, refusal.ErrHoursInvalid},
		{"after midnight", created, set(hours("UTC", events.OfficeInterval{Day: "monday", From: "09:00", To: "24:01"})), nil, refusal.ErrHoursInvalid},
		{"one digit", created, set(hours("UTC", events.OfficeInterval{Day: "monday", From: "9:00", To: "10:00"})), nil, refusal.ErrHoursInvalid},
		{"too many", created, set(hours("UTC", make([]events.OfficeInterval, channel.MaxIntervals+1)...)), nil, refusal.ErrHoursInvalid},
	})
}

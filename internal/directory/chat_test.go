package directory_test

import (
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// TestChatChannel: how a chat channel is set is folded from its history, and followed.
func TestChatChannel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	b.put(t, "acme", events.KindChannel, "site", events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "sk"})
	d := b.follow(t)
	now := time.Date(2026, 1, 12, 7, 0, 0, 0, time.UTC) // a Monday
	before, _ := d.Channel("acme", "site")
	if before.Chat.Theme != events.DefaultTheme || !before.Chat.Hours.OpenAt(now) {
		t.Errorf("at first %+v", before.Chat)
	}

	theme := events.ChannelTheme{Colour: "#ff0000", Position: events.PositionLeft, Mode: events.ModeDark}
	sees(t, d, b.put(t, "acme", events.KindChannel, "site",
		events.ChannelGreetingSet{Greeting: "Hello"}, events.ChannelAwayTextSet{AwayText: "Later"}, events.ChannelThemeSet{ChannelTheme: theme},
		events.ChannelLanguagesSet{ChannelLanguages: events.ChannelLanguages{Languages: []string{"de", "en"}, Default: "de"}},
		events.ChannelPreChatFormSet{Fields: []events.PreChatField{{Name: "email", Input: events.InputEmail, Required: true}}},
		events.ChannelOfficeHoursSet{OfficeHours: events.OfficeHours{Timezone: "Europe/Berlin", Weekly: []events.OfficeInterval{{Day: "monday", From: "09:00", To: "17:00"}}}},
	))
	c, ok := d.ChannelBySiteKey("sk")
	if !ok || c.Chat.Greeting != "Hello" || c.Chat.AwayText != "Later" || c.Chat.Theme != theme || c.Chat.Languages.Default != "de" || len(c.Chat.PreChatForm) != 1 {
		t.Errorf("%v, %+v", ok, c.Chat)
	}
	if opens := c.Chat.Hours.OpensAt(now); !opens.Equal(now.Add(time.Hour)) {
		t.Errorf("opens at %v", opens)
	}
	if !before.Chat.Hours.OpenAt(now) || before.Chat.Greeting != "" {
		t.Error("an older view was changed")
	}
}

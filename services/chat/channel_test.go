package chat_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/services/chat"
)

const siteChannel = "/chat/v1/channels/site_acme"

// TestChannelAsItWasMade: a channel that nobody set is open, and looks as the widget does by itself.
func TestChannelAsItWasMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.ok(200, "GET", siteChannel, "", "", "Origin", "https://acme.example")
	const want = `{"name":"Site","greeting":"","theme":{"colour":"#1d4ed8","position":"right","mode":"auto"},` +
		`"languages":[],"default_language":"","pre_chat_form":[],"open":true}` + "\n"
	if a.raw != want {
		t.Errorf("got  %swant %s", a.raw, want)
	}
	if cache := a.header.Get("Cache-Control"); cache != "public, max-age=60" || !slices.Contains(a.header.Values("Vary"), "Origin") {
		t.Errorf("cached by %q, Vary %q", cache, a.header.Values("Vary"))
	}
}

// TestChannelSettings: what was set is shown, open or not by the clock, and never kept beyond the opening.
func TestChannelSettings(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[time.Time]
	set := func(s string) {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		now.Store(&at)
	}
	set("2026-01-12T07:59:30Z") // a Monday
	b := setup(t, func(_ *bundle, d *chat.Deps) { d.Clock = func() time.Time { return *now.Load() } })
	b.channel("acme", channel.SetGreeting{Greeting: "Hello!"})
	b.channel("acme", channel.SetAwayText{AwayText: "Back on Monday"})
	b.channel("acme", channel.SetTheme{ChannelTheme: events.ChannelTheme{Mode: events.ModeDark}})
	b.channel("acme", channel.SetLanguages{ChannelLanguages: events.ChannelLanguages{Languages: []string{"de", "en"}, Default: "en"}})
	b.channel("acme", channel.SetPreChatForm{Fields: []events.PreChatField{
		{Name: "email", Required: true}, {Name: "size", Label: "Size", Input: events.InputChoice, Options: []string{"S", "L"}},
	}})
	b.channel("acme", channel.SetOfficeHours{OfficeHours: events.OfficeHours{
		Timezone: "Europe/Berlin", Weekly: []events.OfficeInterval{{Day: "monday", From: "09:00", To: "17:00"}},
	}})
	const drawn = `{"name":"Site","greeting":"Hello!","theme":{"colour":"#1d4ed8","position":"right","mode":"dark"},` +
		`"languages":["de","en"],"default_language":"en","pre_chat_form":[{"name":"email","input":"email","required":true},` +
		`{"name":"size","label":"Size","input":"choice","required":false,"options":["S","L"]}],`
	for _, tc := range []struct{ now, cache, rest string }{
		{"2026-01-12T07:59:30Z", "public, max-age=30", `"open":false,"opens_at":"2026-01-12T08:00:00Z","away_text":"Back on Monday"}`},
		{"2026-01-12T08:00:00Z", "public, max-age=60", `"open":true}`},
		{"2026-01-12T16:00:00Z", "public, max-age=60", `"open":false,"opens_at":"2026-01-19T08:00:00Z","away_text":"Back on Monday"}`},
	} {
		set(tc.now)
		a := b.ok(200, "GET", siteChannel, "", "")
		if a.raw != drawn+tc.rest+"\n" || a.header.Get("Cache-Control") != tc.cache {
			t.Errorf("at %s\ngot  %swant %s%s\nfor %q", tc.now, a.raw, drawn, tc.rest, a.header.Get("Cache-Control"))
		}
	}
}

// TestChannelRefused: neither a page of another site nor a channel that is off gets an answer, and no refusal is kept.
func TestChannelRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refused := func(status int, code, path string, header ...string) {
		t.Helper()
		a := b.do("GET", path, "", "", header...)
		if a.status != status || a.str("code") != code || a.header.Get("Cache-Control") != "no-store" || strings.Contains(a.raw, "Site") {
			t.Errorf("%s: %d %q %s, want %d %s", path, a.status, a.header.Get("Cache-Control"), a.raw, status, code)
		}
	}
	refused(404, "channel_not_found", "/chat/v1/channels/nobody")
	refused(403, "origin_not_allowed", siteChannel, "Origin", "https://evil.example")
	b.channel("acme", channel.Disable{})
	refused(409, "channel_disabled", siteChannel, "Origin", "https://acme.example")
}

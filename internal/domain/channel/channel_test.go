package channel_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

type row struct {
	name  string
	given []events.Event
	when  channel.Command
	then  []events.Event // none: nothing new
	err   error
}

func is(all ...events.Event) []events.Event { return all }

// run also decides each command again after its events: that adds nothing.
func run(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			var s channel.State
			for _, e := range r.given {
				s = channel.Evolve(s, e)
			}
			got, err := channel.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = channel.Evolve(s, e)
			}
			if again, err := channel.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s channel.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = channel.Evolve(s, info.Sample)
			}
		}
		s = channel.Evolve(s, events.Unknown{Type: "channel.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s channel.State
	for _, e := range created {
		s = channel.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = channel.Decide(s, nil)
}

var created = is(events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "sk"})

func has(all ...events.Event) []events.Event { return append(is(created...), all...) }

func TestChannel(t *testing.T) {
	t.Parallel()
	origins := events.ChannelOriginsSet{Origins: []string{"http://localhost:3000", "https://acme.example"}}
	disabled := events.ChannelDisabled{Reason: "spam"}
	run(t, []row{
		{"create", nil, channel.Create{Type: events.ChannelChat, Name: "Site", SiteKey: "sk"}, created, nil},
		{"create again", created, channel.Create{Type: events.ChannelChat, Name: "Site", SiteKey: "another"}, nil, nil},
		{"create another", created, channel.Create{Type: events.ChannelEmail, Name: "Site"}, nil, refusal.ErrChannelExists},
		{"no type", nil, channel.Create{Type: "pigeon", Name: "Site"}, nil, refusal.ErrChannelInvalid},
		{"chat without a site key", nil, channel.Create{Type: events.ChannelChat, Name: "Site"}, nil, refusal.ErrSiteKeyInvalid},
		{"mail with a site key", nil, channel.Create{Type: events.ChannelEmail, Name: "Mail", SiteKey: "sk"}, nil, refusal.ErrSiteKeyInvalid},
		{"rename", created, channel.Rename{Name: "Shop"}, is(events.ChannelRenamed{Name: "Shop"}), nil},
		{"rename nothing", nil, channel.Rename{Name: "Shop"}, nil, refusal.ErrChannelNotFound},
		{"origins", created, channel.SetOrigins{Origins: []string{"https://Acme.example/", "http://localhost:3000", "https://acme.example"}}, is(origins), nil},
		{"same origins", has(origins), channel.SetOrigins{Origins: origins.Origins}, nil, nil},
		{"any origin", has(origins), channel.SetOrigins{}, is(events.ChannelOriginsSet{Origins: []string{}}), nil},
		{"origin with a path", created, channel.SetOrigins{Origins: []string{"https://acme.example/shop"}}, nil, refusal.ErrOriginsInvalid},
		{"origin without a scheme", created, channel.SetOrigins{Origins: []string{"acme.example"}}, nil, refusal.ErrOriginsInvalid},
		{"origin with a bad port", created, channel.SetOrigins{Origins: []string{"https://acme.example:x"}}, nil, refusal.ErrOriginsInvalid},
		{"disable", created, channel.Disable{Reason: "spam"}, is(disabled), nil},
		{"disable again", has(disabled), channel.Disable{}, nil, nil},
		{"enable", has(disabled), channel.Enable{Reason: "over"}, is(events.ChannelEnabled{Reason: "over"}), nil},
		{"enable what works", created, channel.Enable{}, nil, nil},
	})
}

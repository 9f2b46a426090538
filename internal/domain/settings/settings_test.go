package settings_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/settings"
)

type row struct {
	name  string
	given []events.Event
	when  settings.Command
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
			var s settings.State
			for _, e := range r.given {
				s = settings.Evolve(s, e)
			}
			got, err := settings.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = settings.Evolve(s, e)
			}
			if again, err := settings.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s settings.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = settings.Evolve(s, info.Sample)
			}
		}
		s = settings.Evolve(s, events.Unknown{Type: "settings.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s settings.State
	for _, e := range created {
		s = settings.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = settings.Decide(s, nil)
}

var created []events.Event // always there

func TestSettings(t *testing.T) {
	t.Parallel()
	queue := is(events.SettingsDefaultQueueSet{QueueID: "q"})
	zone := is(events.SettingsTimezoneSet{Timezone: "Europe/Berlin"})
	run(t, []row{
		{"queue", nil, settings.SetDefaultQueue{QueueID: "q"}, queue, nil},
		{"same queue", queue, settings.SetDefaultQueue{QueueID: "q"}, nil, nil},
		{"no queue", queue, settings.SetDefaultQueue{}, is(events.SettingsDefaultQueueSet{}), nil},
		{"bad queue", nil, settings.SetDefaultQueue{QueueID: "a.b"}, nil, refusal.ErrIDInvalid},
		{"time zone", nil, settings.SetTimezone{Timezone: "Europe/Berlin"}, zone, nil},
		{"same time zone", zone, settings.SetTimezone{Timezone: "Europe/Berlin"}, nil, nil},
		{"no time zone", nil, settings.SetTimezone{}, nil, refusal.ErrTimezoneInvalid},
		{"a path", nil, settings.SetTimezone{Timezone: "../etc"}, nil, refusal.ErrTimezoneInvalid},
	})
}

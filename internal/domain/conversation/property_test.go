package conversation_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

var (
	ids    = rapid.SampledFrom([]string{"", "a", "b", "c", "no.id"})
	actors = rapid.SampledFrom([]events.Actor{ann, zoe, {}, {Type: events.ActorSystem}})
	texts  = rapid.SampledFrom([]string{"", " ", "hello", "two\nlines", "\x00", "\xff"})
	times  = rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "hours")) * time.Hour)
	})
	attributes = rapid.MapOf(rapid.SampledFrom([]string{"x", "y", "bad name"}), rapid.SampledFrom([]any{nil, "v", 1.5, 2, true, []any{1}}))
)

// anyOf draws one of these types and fills its fields.
func anyOf(t *rapid.T, all []reflect.Type) any {
	v := reflect.New(rapid.SampledFrom(all).Draw(t, "type")).Elem()
	for i := range v.NumField() {
		var x any
		switch name, f := v.Type().Field(i).Name, v.Field(i); f.Interface().(type) {
		case string:
			switch name {
			case "Text", "Subject", "Reason", "Tag":
				x = texts.Draw(t, name)
			default:
				x = ids.Draw(t, name)
			}
		case events.Actor:
			x = actors.Draw(t, name)
		case events.Channel:
			x = rapid.SampledFrom([]events.Channel{events.ChannelChat, events.ChannelX, "pigeon"}).Draw(t, name)
		case events.Priority:
			x = rapid.SampledFrom([]events.Priority{events.PriorityLow, events.PriorityHigh, "asap"}).Draw(t, name)
		case map[string]any:
			x = attributes.Draw(t, name)
		case time.Time:
			x = times.Draw(t, name)
		default:
			t.Fatalf("no generator for %s %s", v.Type(), name)
		}
		v.Field(i).Set(reflect.ValueOf(x))
	}
	return v.Interface()
}

func typesOf(all ...any) (out []reflect.Type) {
	for _, x := range all {
		out = append(out, reflect.TypeOf(x))
	}
	return out
}

var commandTypes = typesOf(
	conversation.Open{}, conversation.ReceiveMessage{}, conversation.WriteMessage{}, conversation.AddNote{},
	conversation.SetSubject{}, conversation.Queue{}, conversation.Assign{}, conversation.RouteTo{}, conversation.Unassign{},
	conversation.UnassignFrom{}, conversation.SetPriority{}, conversation.Tag{}, conversation.Untag{},
	conversation.SetAttributes{}, conversation.Snooze{}, conversation.Wake{}, conversation.Close{}, conversation.Reopen{},
	conversation.MarkRead{}, conversation.MergeInto{}, conversation.Absorb{}, conversation.Erase{},
)

// Folding never panics, whatever happened in whatever order, and never changes a state that somebody else holds.
func TestFoldingNeverPanics(t *testing.T) {
	t.Parallel()
	var all []reflect.Type
	for _, info := range events.Types() {
		if info.Current && info.Kind == events.KindConversation {
			all = append(all, reflect.TypeOf(info.Sample))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var s conversation.State
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			if rapid.IntRange(0, 9).Draw(t, "foreign") == 0 {
				s = conversation.Evolve(s, events.Unknown{Type: "conversation.teleported.v9"})
				continue
			}
			e, _ := anyOf(t, all).(events.Event)
			before, copied := s, deepCopy(s)
			s = conversation.Evolve(s, e)
			if !reflect.DeepEqual(before, copied) {
				t.Fatalf("%T changed the state before it", e)
			}
		}
	})
}

// Deciding a command again after folding its events adds nothing, or is refused; what it refuses it refuses with a
// fault, and whatever it decides keeps the state well.
func TestDecidingAgainAddsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := conversation.Evolve(conversation.State{}, opened)
		if rapid.Bool().Draw(t, "from nothing") {
			s = conversation.State{}
		}
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			c, _ := anyOf(t, commandTypes).(conversation.Command)
			copied := deepCopy(s)
			decided, err := conversation.Decide(s, c)
			if !reflect.DeepEqual(s, copied) {
				t.Fatalf("deciding %#v changed the state", c)
			}
			if err != nil {
				if len(decided) > 0 || fault.KindOf(err) == fault.Internal {
					t.Fatalf("%#v: %v and %d events", c, err, len(decided))
				}
				continue
			}
			for _, e := range decided {
				s = conversation.Evolve(s, e)
			}
			again, err := conversation.Decide(s, c)
			if len(again) > 0 || err != nil && fault.KindOf(err) == fault.Internal {
				t.Fatalf("%#v decided again: %#v, %v", c, again, err)
			}
			if !slices.IsSorted(s.Tags) || s.Exists && s.Status == events.StatusSnoozed == s.Until.IsZero() {
				t.Fatalf("after %#v: %+v", c, s)
			}
		}
	})
}

func deepCopy(s conversation.State) conversation.State {
	s.Tags = slices.Clone(s.Tags)
	s.Absorbed = slices.Clone(s.Absorbed)
	s.Attributes = maps.Clone(s.Attributes)
	s.ReadUpTo = maps.Clone(s.ReadUpTo)
	return s
}

package rule_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
)

type row struct {
	name  string
	given []events.Event
	when  rule.Command
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
			var s rule.State
			for _, e := range r.given {
				s = rule.Evolve(s, e)
			}
			got, err := rule.Decide(s, r.when)
			if !errors.Is(err, r.err) || (err == nil) != (r.err == nil) {
				t.Fatalf("got %v, want %v", err, r.err)
			}
			if !reflect.DeepEqual(got, r.then) {
				t.Errorf("got  %#v\nwant %#v", got, r.then)
			}
			for _, e := range got {
				s = rule.Evolve(s, e)
			}
			if again, err := rule.Decide(s, r.when); len(got) > 0 && (len(again) > 0 || err != nil) {
				t.Errorf("again: %#v, %v", again, err)
			}
		})
	}
}

// Folding never panics, whatever comes first and whoever's event it is.
func TestFoldsAnything(t *testing.T) {
	t.Parallel()
	var s rule.State
	for range 2 {
		for _, info := range events.Types() {
			if info.Sample != nil {
				s = rule.Evolve(s, info.Sample)
			}
		}
		s = rule.Evolve(s, events.Unknown{Type: "rule.cloned.v1"})
	}
}

func TestUnhandledCommandPanics(t *testing.T) {
	t.Parallel()
	var s rule.State
	for _, e := range created {
		s = rule.Evolve(s, e)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = rule.Decide(s, nil)
}

const on = "conversation.message_received"

var (
	refunds = events.RuleDefinition{On: on, Contains: "refund", Steps: []events.RuleStep{{Tag: "refund"}, {Reply: "One moment."}}}
	created = is(events.RuleCreated{Name: "Refunds", RuleDefinition: refunds})
)

func has(all ...events.Event) []events.Event { return append(is(created...), all...) }

func TestRule(t *testing.T) {
	t.Parallel()
	bad := func(change func(*events.RuleDefinition)) rule.Command {
		d := refunds
		change(&d)
		return rule.Create{Name: "Refunds", Definition: d}
	}
	other := events.RuleDefinition{On: "conversation.closed", Steps: []events.RuleStep{{Tag: "done"}}}
	disabled := events.RuleDisabled{Reason: "loops"}
	run(t, []row{
		{"create", nil, rule.Create{Name: "Refunds", Definition: refunds}, created, nil},
		{"create again", created, rule.Create{Name: "Refunds", Definition: refunds}, nil, nil},
		{"create another", created, rule.Create{Name: "Others", Definition: refunds}, nil, refusal.ErrRuleExists},
		{"tags have one spelling", nil, bad(func(d *events.RuleDefinition) { d.Steps = []events.RuleStep{{Tag: "Refund"}, {Reply: "One moment."}} }), created, nil},
		{"no such trigger", nil, bad(func(d *events.RuleDefinition) { d.On = "conversation.exploded" }), nil, refusal.ErrRuleInvalid},
		{"after which nothing can be done", nil, bad(func(d *events.RuleDefinition) { d.On = "conversation.erased" }), nil, refusal.ErrRuleInvalid},
		{"words where there is no text", nil, bad(func(d *events.RuleDefinition) { d.On = "conversation.closed" }), nil, refusal.ErrRuleInvalid},
		{"no steps", nil, bad(func(d *events.RuleDefinition) { d.Steps = nil }), nil, refusal.ErrRuleInvalid},
		{"an empty step", nil, bad(func(d *events.RuleDefinition) { d.Steps = []events.RuleStep{{}} }), nil, refusal.ErrRuleInvalid},
		{"two things in a step", nil, bad(func(d *events.RuleDefinition) { d.Steps = []events.RuleStep{{Tag: "a", Reply: "b"}} }), nil, refusal.ErrRuleInvalid},
		{"a bad tag", nil, bad(func(d *events.RuleDefinition) { d.Steps = []events.RuleStep{{Tag: "a,b"}} }), nil, refusal.ErrTagInvalid},
		{"a blank reply", nil, bad(func(d *events.RuleDefinition) { d.Steps = []events.RuleStep{{Reply: " "}} }), nil, refusal.ErrTextInvalid},
		{"change", created, rule.Change{Definition: other}, is(events.RuleChanged{RuleDefinition: other}), nil},
		{"change nothing", created, rule.Change{Definition: refunds}, nil, nil},
		{"change what is not there", nil, rule.Change{Definition: other}, nil, refusal.ErrRuleNotFound},
		{"disable", created, rule.Disable{Reason: "loops"}, is(disabled), nil},
		{"disable again", has(disabled), rule.Disable{}, nil, nil},
		{"enable", has(disabled), rule.Enable{Reason: "mended"}, is(events.RuleEnabled{Reason: "mended"}), nil},
		{"enable what runs", created, rule.Enable{}, nil, nil},
	})
}

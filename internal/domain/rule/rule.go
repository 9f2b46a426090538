// Package rule decides what may happen to an automation: when an event of a type comes and its text contains words,
// do steps. A definition that cannot run is refused when it is saved, not found out when it should run.
package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// The limits.
const (
	MaxSteps    = 20
	MaxContains = 200
)

// State is what deciding asks.
type State struct {
	Exists     bool
	Name       string
	Definition events.RuleDefinition // shared, never changed in place
	Disabled   bool
}

// Command is one of the commands below.
type Command interface{ ruleCommand() }

// Create sets the automation up. The same again is nothing new.
type Create struct {
	Name       string
	Definition events.RuleDefinition
}

// Change replaces the definition.
type Change struct{ Definition events.RuleDefinition }

// Disable stops the automation.
type Disable struct{ Reason string }

// Enable starts it again.
type Enable struct{ Reason string }

func (Create) ruleCommand()  {}
func (Change) ruleCommand()  {}
func (Disable) ruleCommand() {}
func (Enable) ruleCommand()  {}

// Evolve is the state after an event.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.RuleCreated:
		s.Exists, s.Name, s.Definition = true, e.Name, e.RuleDefinition
	case events.RuleChanged:
		s.Definition = e.RuleDefinition
	case events.RuleDisabled:
		s.Disabled = true
	case events.RuleEnabled:
		s.Disabled = false
	}
	return s
}

// Decide tells what a command makes happen; nothing new is no event.
func Decide(s State, c Command) ([]events.Event, error) {
	if c, ok := c.(Create); ok {
		return s.create(c)
	}
	if !s.Exists {
		return nil, refusal.ErrRuleNotFound
	}
	switch c := c.(type) {
	case Change:
		d, err := check(c.Definition)
		if err != nil || same(d, s.Definition) {
			return nil, err
		}
		return []events.Event{events.RuleChanged{RuleDefinition: d}}, nil
	case Disable:
		reason, err := text.Reason(c.Reason)
		if err != nil || s.Disabled {
			return nil, err
		}
		return []events.Event{events.RuleDisabled{Reason: reason}}, nil
	case Enable:
		reason, err := text.Reason(c.Reason)
		if err != nil || !s.Disabled {
			return nil, err
		}
		return []events.Event{events.RuleEnabled{Reason: reason}}, nil
	default:
		panic(fmt.Sprintf("rule: no decision for %T", c))
	}
}

func (s State) create(c Create) ([]events.Event, error) {
	name, err := text.Name("name", c.Name)
	if err != nil {
		return nil, err
	}
	d, err := check(c.Definition)
	switch {
	case err != nil:
		return nil, err
	case s.Exists && s.Name == name && same(s.Definition, d):
		return nil, nil
	case s.Exists:
		return nil, refusal.ErrRuleExists
	}
	return []events.Event{events.RuleCreated{Name: name, RuleDefinition: d}}, nil
}

// check answers the definition in its one spelling.
func check(d events.RuleDefinition) (events.RuleDefinition, error) {
	contains, err := text.Line("contains", d.Contains, MaxContains)
	if err != nil {
		return d, err
	}
	d.Contains = contains
	switch {
	case !slices.Contains(Triggers(), d.On):
		return d, refusal.ErrRuleInvalid.WithHint("on is one of %s", strings.Join(Triggers(), ", "))
	case d.Contains != "" && !hasText(d.On):
		return d, refusal.ErrRuleInvalid.WithHint("%s has no text that could contain words", d.On)
	case len(d.Steps) == 0 || len(d.Steps) > MaxSteps:
		return d, refusal.ErrRuleInvalid.WithHint("a rule has 1 to %d steps", MaxSteps)
	}
	d.Steps = slices.Clone(d.Steps)
	for i, step := range d.Steps {
		switch {
		case (step.Tag == "") == (step.Reply == ""):
			return d, refusal.ErrRuleInvalid.WithHint("step %d must have either a tag or a reply", i+1)
		case step.Tag != "":
			if d.Steps[i].Tag, err = text.Tag(step.Tag); err != nil {
				return d, err
			}
		default:
			if err := text.Body("reply", step.Reply); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}

// Triggers lists what a rule may run on: the conversation's types of event, without their versions. On an erasure nothing
// could be done any more.
func Triggers() []string {
	var out []string
	for _, t := range events.Types() {
		if t.Kind == events.KindConversation && t.Current && t.Type != (events.ConversationErased{}).EventType() {
			name, _, _ := strings.Cut(t.Type, ".v")
			out = append(out, name)
		}
	}
	return out
}

func hasText(on string) bool {
	switch on {
	case "conversation.message_received", "conversation.message_written", "conversation.note_added":
		return true
	}
	return false
}

func same(a, b events.RuleDefinition) bool {
	return a.On == b.On && a.Contains == b.Contains && slices.Equal(a.Steps, b.Steps)
}

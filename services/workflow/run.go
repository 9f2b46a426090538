package workflow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/projections"
)

// Why a run is suppressed.
const (
	reasonDepth  = "depth_limit"
	reasonBudget = "budget"
)

// run is one rule that met one event.
type run struct {
	ID         string
	RuleID     string
	Version    directory.RuleVersion
	Event      events.Recorded
	Suppressed string // why it is not begun; empty: it is
}

// step is the payload of an intent: one step of one run.
type step struct {
	RunID          string          `json:"run_id"`
	RuleID         string          `json:"rule_id"`
	ConversationID string          `json:"conversation_id"`
	Number         int             `json:"number"`
	Step           events.RuleStep `json:"step"`
}

// meet tells which runs an event starts. recent are the times of the runs that its conversation has had; the result
// depends on the arguments alone. What was imported is history: no automation answers it.
func meet(rules []directory.Rule, r events.Recorded, recent []time.Time, limits Limits) []run {
	if r.Kind != events.KindConversation || r.Actor.Type == events.ActorImport {
		return nil
	}
	spent := 0
	for _, t := range recent {
		if t.After(r.Time.Add(-limits.Window)) {
			spent++
		}
	}
	var out []run
	for _, rule := range rules {
		v, ok := rule.At(r.Sequence)
		if !ok || !matches(v.RuleDefinition, r.Event) {
			continue
		}
		n := run{ID: command.DeriveID("run", rule.ID, r.Metadata.ID), RuleID: rule.ID, Version: v, Event: r}
		switch {
		case r.Depth >= limits.Depth:
			n.Suppressed = reasonDepth
		case spent >= limits.Budget:
			n.Suppressed = reasonBudget
		default:
			spent++
		}
		out = append(out, n)
	}
	return out
}

// intents are the steps of the run, in order: they share the conversation's key.
func (n run) intents() []projections.Intent {
	if n.Suppressed != "" {
		return nil
	}
	out := make([]projections.Intent, 0, len(n.Version.Steps))
	for i, s := range n.Version.Steps {
		payload, _ := json.Marshal(step{ //nolint:errchkjson // strings and numbers always encode
			RunID: n.ID, RuleID: n.RuleID, ConversationID: n.Event.Aggregate.ID, Number: i, Step: s,
		})
		out = append(out, projections.Intent{
			ID: stepID(n.ID, i), Org: n.Event.Org, Kind: intentStep, Key: n.Event.Aggregate.ID,
			Cause: n.Event.Sequence, Depth: n.Event.Depth + 1, Payload: payload,
		})
	}
	return out
}

// stepID names the command of a step. Ids of one run sort in the order of their steps.
func stepID(runID string, number int) string { return fmt.Sprintf("run:%s:%02d", runID, number) }

// stepKey names a step of a run.
type stepKey struct {
	run    string
	number int
}

func compareSteps(a, b stepKey) int {
	return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.number, b.number))
}

// outcome is what came of a step.
type outcome struct {
	refused bool
	reason  string // why it was refused or had nothing to do; empty: it changed the conversation
}

// and joins what two events tell of one step, in any order.
func (o outcome) and(other outcome) outcome {
	return outcome{refused: o.refused || other.refused, reason: max(o.reason, other.reason)}
}

// stepOf reads the step that an event came from, and what came of it; false when it came from elsewhere. Clients choose
// their own command ids, so the actor is asked too.
func stepOf(r events.Recorded) (k stepKey, came outcome, ok bool) {
	rest, ok := strings.CutPrefix(r.Command, "run:")
	if !ok || r.Actor.Type != events.ActorWorkflow {
		return k, came, false
	}
	run, n, _ := strings.Cut(rest, ":")
	number, err := strconv.Atoi(n)
	if err != nil {
		return k, came, false
	}
	switch e := r.Event.(type) {
	case events.RunStepDone:
		came.reason = e.Reason
	case events.RunStepRefused:
		came = outcome{refused: true, reason: e.Reason}
	}
	return stepKey{run: run, number: number}, came, true
}

package events

func init() {
	register[RunStepDone]("A step of an automation's run found that there was nothing to do.")
	register[RunStepRefused]("A step of an automation's run was refused. The run ends there: no later step is taken.")
}

// RunStepDone says why a step left no event in its conversation although it was taken. One that changed the
// conversation is known by the event that it left there.
type RunStepDone struct {
	Step           int    `json:"step"` // of the rule's steps, from 0
	ConversationID string `json:"conversation_id"`
	Reason         string `json:"reason"`
}

// RunStepRefused says why a step could not be taken.
type RunStepRefused struct {
	Step           int    `json:"step"` // of the rule's steps, from 0
	ConversationID string `json:"conversation_id"`
	Reason         string `json:"reason"` // the code of the refusal
}

// EventType is on disk.
func (RunStepDone) EventType() string { return "run.step_done.v1" }

// EventType is on disk.
func (RunStepRefused) EventType() string { return "run.step_refused.v1" }

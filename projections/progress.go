package projections

// Progress says which events have been applied (or parked): all up to Checkpoint, and while a live lane is open also
// all in [LiveFrom, LiveThrough]. LiveFrom 0 means that there is none.
type Progress struct {
	Checkpoint  uint64
	LiveFrom    uint64
	LiveThrough uint64
}

// Applied tells whether the event at a sequence has been applied.
func (p Progress) Applied(sequence uint64) bool {
	return sequence <= p.Checkpoint || p.LiveFrom != 0 && p.LiveFrom <= sequence && sequence <= p.LiveThrough
}

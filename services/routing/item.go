package routing

import (
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// item is what routing knows of one conversation: a fold of the conversation's events that routing cares about.
type item struct {
	Org              string
	ID               string
	Status           events.Status
	Merged           bool
	QueueID          string
	AssigneeID       string
	Priority         int       // index in events.Priorities
	WaitingSince     time.Time // since when it is open; being handed back does not change it, so that it goes to the front
	Version          uint64    // revision of the event that made it need work; names the command that gives it out
	AssignedRevision uint64    // of the event that gave it to AssigneeID; names the command that takes it back
	AssignedTime     time.Time
	SnoozedRevision  uint64 // of the snooze that has not ended, 0: none; names the command that wakes it
	Sequence         uint64 // of the last event folded
	Erased           bool   // nothing is to be known of it any more
}

// normalPriority is the rank of a conversation that nobody has ranked.
var normalPriority = priorityRank(events.PriorityNormal)

func priorityRank(p events.Priority) int {
	if i := slices.Index(events.Priorities, p); i >= 0 {
		return i
	}
	return 1
}

// needsWork tells whether nobody has the conversation and somebody should.
func (it item) needsWork() bool {
	return it.Status == events.StatusOpen && !it.Merged && it.AssigneeID == ""
}

// evolve folds one event. It is total: it happened, so there is nothing to refuse.
func (it item) evolve(r events.Recorded) item {
	before := it.needsWork()
	again := false // the event makes an item that needed work need it anew
	switch e := r.Event.(type) {
	case events.ConversationOpened:
		it = item{Org: r.Org, ID: r.Aggregate.ID, Status: events.StatusOpen, Priority: normalPriority, WaitingSince: r.Time}
		before = false
	case events.ConversationMessageReceived:
		again = it.QueueID == ""
	case events.ConversationQueued:
		again = it.QueueID != e.QueueID
		it.QueueID = e.QueueID
	case events.ConversationAssigned:
		it.AssigneeID, it.AssignedRevision, it.AssignedTime = e.AgentID, r.Revision, r.Time
	case events.ConversationUnassigned:
		it.AssigneeID = ""
	case events.ConversationPrioritySet:
		it.Priority = priorityRank(e.Priority)
	case events.ConversationSnoozed:
		it.Status, it.SnoozedRevision = events.StatusSnoozed, r.Revision
	case events.ConversationWoke:
		it.Status = events.StatusOpen
		it.WaitingSince = r.Time
	case events.ConversationClosed:
		it.Status = events.StatusClosed
	case events.ConversationReopened:
		it.Status = events.StatusOpen
		it.WaitingSince = r.Time
	case events.ConversationMerged:
		it.Status, it.Merged = events.StatusClosed, true
	case events.ConversationErased:
		it.Status, it.Erased = events.StatusClosed, true
	}
	if it.Status != events.StatusSnoozed {
		it.SnoozedRevision = 0
	}
	it.Sequence = r.Sequence
	if it.needsWork() && (!before || again) {
		it.Version = r.Revision
	}
	return it
}

// asks tells whether an event that led from one state to the next is a reason to look at the org's work: somebody
// is needed, somebody has room again, or an agent has it who may not be there.
func asks(before, after item) bool {
	held := func(it item) string {
		if it.Status == events.StatusOpen {
			return it.AssigneeID
		}
		return ""
	}
	return after.needsWork() && after.Version != before.Version || held(before) != held(after)
}

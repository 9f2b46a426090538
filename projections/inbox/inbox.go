// Package inbox is the read model behind the list of conversations: one row for each, with all that the list shows,
// filters and sorts by.
//
// Projection writes it (apply.go), Reader reads it (read.go), and nobody else names its tables. What a row says is
// folded from the conversation's own events (fold.go) and needs nothing of any other aggregate. The one exception is
// erasure, which is told by the customer's events and must hold in whichever order the two are seen: see apply.go.
package inbox

import (
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Conversation is a row as readers see it. Empty ids stand for "none".
type Conversation struct {
	Org        string
	ID         string
	CustomerID string
	Channel    events.Channel
	ChannelID  string
	Subject    string
	Status     events.Status // a merged conversation is closed
	MergedInto string
	QueueID    string
	AssigneeID string
	Priority   events.Priority
	Tags       []string       // sorted, never nil
	Attributes map[string]any // never nil

	CreatedAt time.Time
	UpdatedAt time.Time // of the last event, read marks apart

	LastMessageAt      *time.Time
	LastMessageFrom    string // "customer", "agent", "workflow": the type of actor
	LastMessagePreview string // at most PreviewLength characters
	MessageCount       int
	NoteCount          int
	UnreadByDesk       int // customer's messages since an agent answered or read
	UnreadByCustomer   int // desk's messages since the customer wrote or read

	WaitingSince *time.Time // when the customer wrote first since a person last answered; nil when nobody waits
	SnoozedUntil *time.Time

	Sequence uint64 // of the last event in this row
}

// PreviewLength is how many characters of the last message are kept.
const PreviewLength = 200

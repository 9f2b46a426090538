package ledger

import "github.com/tidemark-desk/tidemark/events"

// MaxHoles is how many holes a report names. It counts all.
const MaxHoles = 100

// Report is an account. It is whole when there is neither a hole nor a model behind.
type Report struct {
	Position  events.Position // everything up to here was counted
	Rows      []Row           // by channel
	Customers *People         // nil when a channel was asked for: customers have none
	Surveys   *Surveys        // nil when nobody asked for them
	Holes     []Hole          // at most MaxHoles, by model and conversation or customer
	Total     uint64          // of all holes
	Behind    []Behind
}

// Tally is an amount of what customers and agents brought in.
type Tally struct {
	Conversations uint64 // opened in the window
	Messages      uint64 // in the window, of both sides
	Notes         uint64
}

func (t *Tally) add(o Tally) {
	t.Conversations += o.Conversations
	t.Messages += o.Messages
	t.Notes += o.Notes
}

// minus takes o, which is at most t, away.
func (t Tally) minus(o Tally) Tally {
	return Tally{Conversations: t.Conversations - o.Conversations, Messages: t.Messages - o.Messages, Notes: t.Notes - o.Notes}
}

// Row is one channel.
type Row struct {
	Channel  events.Channel
	Accepted Tally
	Received uint64          // of the accepted messages: from customers
	Written  uint64          // of the accepted messages: from the desk
	Excused  Tally           // of the accepted: their customers were erased, nobody may show them
	Sides    map[string]Side // by model; one that is behind has none
}

// Side is what one model shows of a channel: Accepted = Shown + Excused + Missing.
type Side struct {
	Shown   Tally
	Missing Tally
}

// People is the account of the customers: Accepted = Shown + Excused + Missing, when they were compared.
type People struct {
	Accepted       uint64 // who became known in the window
	Excused        uint64 // of the accepted: erased since
	Compared       bool   // the read model was asked, and is not behind
	Shown, Missing uint64
}

// Hole is one conversation or customer that a model does not show as it was accepted.
type Hole struct {
	Model          string
	ConversationID string // empty: it is about a customer
	CustomerID     string
	Problem        string // for people; names "parked" when that is why
}

// Behind is a model that has not read far enough to be compared.
type Behind struct {
	Model      string
	Problem    string // for people
	LagEvents  uint64
	LagSeconds float64
	Err        error // why; for the operator's log
}

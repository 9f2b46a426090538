// Package customers is the read model behind customers: who they are, by which addresses they are known, and where
// they went on when they turned out to be somebody else.
//
// Projection writes it (apply.go), Reader reads it (read.go), and nobody else names its tables. Everything is folded
// from the customer's own events (fold.go). Of an erased customer only the id and the time are left.
package customers

import (
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Customer is a profile as readers see it.
type Customer struct {
	Org        string
	ID         string
	Name       string
	Identities []events.Identity // in the order in which they were added, never nil
	Attributes map[string]any    // never nil
	MergedInto string            // who took over; such a customer has nothing else left
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Sequence   uint64 // of the last event in this profile
}

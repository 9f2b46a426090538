// Package erasure forgets a customer: what privacy law asks for, in steps each of which may be interrupted and repeated.
//
// Erase writes the fact, and needs the log alone: in one atomic batch the tombstones of the customer and of everybody
// who was merged into them, and the release of the claims on their addresses. From then on nothing of them is shown.
// PurgeConversation and PurgeCustomer take what precedes a tombstone out of the log, and the files that messages brought;
// the tombstone stays. Whoever calls
// them (services/eraser) knows the conversations, and calls PurgeCustomer for the customer last: a history that begins
// with its tombstone is how the log itself says that an erasure has ended.
//
// It must not purge anything that has no tombstone, nor what stands behind one.
package erasure

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// ErrNone says that the customer is there and nobody has asked to erase them.
var ErrNone = fault.New(fault.NotFound, "erasure_not_found", "nobody has asked to erase this customer")

// The reasons that tombstones give. They are no free text, so that nothing personal gets into what stays.
const (
	ReasonRequested      = "requested"
	ReasonCustomerErased = "customer_erased"
)

// together is how many customers are erased in one batch; a batch has 1,000 events at most, and claims are among them.
const together = 500

// Log is what is needed of the event log besides the command loop.
type Log interface {
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
	PurgeBefore(ctx context.Context, a events.Aggregate, sequence uint64) error
	Position(a events.Aggregate, sequence uint64) events.Position
}

// Files are the files of conversations.
type Files interface {
	DeleteFolder(ctx context.Context, org, conversationID string) error
}

// Directory is what is needed of the directory: claims are under a key of the org.
type Directory interface {
	Org(id string) (directory.Org, bool)
}

// Eraser erases customers.
type Eraser struct {
	log           Log
	loop          *command.Loop
	directory     Directory
	files         Files
	customers     *command.Handler[customer.State, customer.Command]
	claims        *command.Handler[claim.State, claim.Command]
	conversations *command.Handler[conversation.State, conversation.Command]
}

// New makes an Eraser. Files may be nil: there are none then.
func New(log Log, loop *command.Loop, d Directory, files Files) *Eraser {
	return &Eraser{
		log: log, loop: loop, directory: d, files: files,
		customers:     aggregates.Customers(loop),
		claims:        aggregates.Claims(loop),
		conversations: aggregates.Conversations(loop),
	}
}

// Erasure is how far an erasure is.
type Erasure struct {
	CustomerID string
	At         time.Time       // when it was asked for
	Position   events.Position // of the tombstone
	Done       bool            // nothing of the customer or their conversations is left in the log but tombstones
}

// Erase writes the tombstones and releases the addresses, all or nothing. It is once for ever: the same command, and any
// other one on a customer who is erased, adds nothing and tells how far it is. Errors: customer.ErrNotFound;
// customer.ErrMerged names who took over, in whose erasure this customer is erased too.
func (e *Eraser) Erase(ctx context.Context, org, id string, m command.Meta) (Erasure, error) {
	tenant, ok := e.directory.Org(org)
	if !ok {
		return Erasure{}, refusal.ErrOrgNotFound
	}
	if m.ID == "" {
		m.ID = events.NewID()
	}
	err := e.write(ctx, tenant, id, m, false)
	for n := 1; errors.Is(err, errTooMany); n++ {
		part := m
		part.ID = command.DeriveID("erasure", m.ID, strconv.Itoa(n))
		if err = e.write(ctx, tenant, id, part, true); err == nil {
			err = e.write(ctx, tenant, id, m, false)
		}
	}
	if err != nil {
		return Erasure{}, err
	}
	return e.Find(ctx, org, id)
}

// errTooMany says that more customers are to be erased than one batch takes.
var errTooMany = errors.New("more customers than a batch takes")

// write erases the customer with all who were merged into them, or some of those alone when they are too many.
func (e *Eraser) write(ctx context.Context, org directory.Org, id string, m command.Meta, some bool) error {
	_, err := e.loop.Atomic(ctx, m, func(tx *command.Tx) error {
		family, err := e.family(tx, org.ID, id)
		if err != nil {
			return err
		}
		switch {
		case some: // who was merged last of all first: nobody else knows of them
			family = family[max(1, len(family)-together):]
		case len(family) > together:
			return errTooMany
		}
		return e.stage(tx, org, id, family)
	})
	return err
}

// person is a customer who is to be erased.
type person struct {
	id string
	customer.State
}

// family is the customer, first, and everybody who was merged into them and is not erased yet.
func (e *Eraser) family(tx *command.Tx, org, id string) ([]person, error) {
	root, exists, err := command.Peek(tx, e.customers, org, id)
	switch {
	case err != nil:
		return nil, err
	case !exists:
		return nil, customer.ErrNotFound
	case root.MergedInto != "":
		return nil, customer.ErrMerged.WithHint("erase customer %s, who took over", root.MergedInto)
	}
	family := []person{{id, root}}
	seen := map[string]bool{id: true}
	for i := 0; i < len(family); i++ {
		for _, from := range family[i].Absorbed {
			if seen[from] {
				continue
			}
			seen[from] = true
			state, exists, err := command.Peek(tx, e.customers, org, from)
			if err != nil {
				return nil, err
			}
			if exists && !state.Erased {
				family = append(family, person{from, state})
			}
		}
	}
	return family, nil
}

// stage stages tombstones and the release of claims. The customer's own tombstone is the last event of the batch.
func (e *Eraser) stage(tx *command.Tx, org directory.Org, id string, family []person) error {
	owners := map[string]bool{}
	for _, p := range family {
		owners[p.id] = true
	}
	released := map[string]bool{}
	for _, p := range slices.Backward(family) {
		for _, i := range p.Identities {
			claimID := org.ClaimID(i.Type, i.Value)
			if released[claimID] {
				continue
			}
			released[claimID] = true
			c, _, err := command.Peek(tx, e.claims, org.ID, claimID)
			if err != nil {
				return err
			}
			if !owners[c.CustomerID] {
				continue // somebody else's, or nobody's
			}
			release := claim.Command(claim.Release{CustomerID: c.CustomerID, Reason: ReasonCustomerErased})
			if err := command.Stage(tx, e.claims, org.ID, claimID, release); err != nil {
				return err
			}
		}
		erase := customer.Erase{Reason: ReasonRequested}
		if p.id != id {
			erase.WithID = id
		}
		if err := command.Stage(tx, e.customers, org.ID, p.id, customer.Command(erase)); err != nil {
			return err
		}
	}
	return nil
}

// Find tells how far the erasure of a customer is, from the log alone. Errors: customer.ErrNotFound, ErrNone.
func (e *Eraser) Find(ctx context.Context, org, id string) (Erasure, error) {
	a := events.Aggregate{Org: org, Kind: events.KindCustomer, ID: id}
	recorded, err := e.log.Read(ctx, a, 0)
	switch {
	case err != nil:
		return Erasure{}, err
	case len(recorded) == 0:
		return Erasure{}, customer.ErrNotFound
	}
	at := slices.IndexFunc(recorded, tombstone)
	if at < 0 {
		return Erasure{}, ErrNone
	}
	stone := recorded[at]
	return Erasure{CustomerID: id, At: stone.Time, Position: e.log.Position(a, stone.Sequence), Done: at == 0}, nil
}

func tombstone(r events.Recorded) bool {
	switch r.Event.(type) {
	case events.CustomerErased, events.ConversationErased:
		return true
	}
	return false
}

package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

// PurgeConversation writes the conversation's tombstone, deletes its files and takes what precedes the tombstone out of
// the log. It may be repeated, with the same command or another one. A conversation that is not there is no error.
//
// The order matters. A file that is uploaded meanwhile meets the tombstone; and as long as the files may be there, so is
// the history by which whoever starts over finds the conversation.
func (e *Eraser) PurgeConversation(ctx context.Context, org, id string, m command.Meta) error {
	r, err := e.conversations.Handle(ctx, org, id, m, conversation.Erase{Reason: ReasonCustomerErased})
	switch {
	case errors.Is(err, conversation.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("erase conversation %s: %w", id, err)
	}
	if e.files != nil {
		if err := e.files.DeleteFolder(ctx, org, id); err != nil {
			return fmt.Errorf("erase the files of conversation %s: %w", id, err)
		}
	}
	// Nothing comes after a tombstone, so the last event is it. Who decided on the history before it meets it in the log.
	a := events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
	return e.log.PurgeBefore(ctx, a, r.Position.Sequence)
}

// PurgeCustomer takes out of the log what precedes the customer's tombstone, what claims say of them, and when they ended
// their chat sessions. It may be repeated. Errors: ErrNone when there is no tombstone.
func (e *Eraser) PurgeCustomer(ctx context.Context, org, id string) error {
	a := events.Aggregate{Org: org, Kind: events.KindCustomer, ID: id}
	recorded, err := e.log.Read(ctx, a, 0)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(recorded, tombstone)
	if at < 0 {
		return ErrNone
	}
	claims, err := e.claimsOf(org, recorded[:at])
	if err != nil {
		return err
	}
	for _, c := range claims { // before the history that names them
		if err := e.purgeClaim(ctx, c); err != nil {
			return err
		}
	}
	if err := e.purgeSessions(ctx, org, id); err != nil {
		return err
	}
	return e.log.PurgeBefore(ctx, a, recorded[at].Sequence)
}

// purgeSessions takes out when the customer ended their chat sessions. Whoever still has a token of one is led to nothing by it.
func (e *Eraser) purgeSessions(ctx context.Context, org, id string) error {
	a := events.Aggregate{Org: org, Kind: events.KindVisitor, ID: id}
	recorded, err := e.log.Read(ctx, a, 0)
	if err != nil || len(recorded) == 0 {
		return err
	}
	return e.log.PurgeBefore(ctx, a, recorded[len(recorded)-1].Sequence+1)
}

// claimsOf are the claims on every address that a customer ever had.
func (e *Eraser) claimsOf(org string, history []events.Recorded) ([]events.Aggregate, error) {
	var addresses []events.Identity
	for _, r := range history {
		switch event := r.Event.(type) {
		case events.Unknown:
			return nil, command.ErrEventUnknown.WithCause(fmt.Errorf("%s at %d: %s: %s", r.Aggregate, r.Sequence, event.Type, event.Reason))
		case events.CustomerIdentified:
			addresses = append(addresses, event.Identity)
		case events.CustomerAbsorbed:
			addresses = append(addresses, event.Identities...)
		}
	}
	if len(addresses) == 0 {
		return nil, nil
	}
	tenant, ok := e.directory.Org(org)
	if !ok {
		return nil, refusal.ErrOrgNotFound
	}
	claims := make([]events.Aggregate, 0, len(addresses))
	for _, i := range addresses {
		c := events.Aggregate{Org: org, Kind: events.KindClaim, ID: tenant.ClaimID(i.Type, i.Value)}
		if !slices.Contains(claims, c) {
			claims = append(claims, c)
		}
	}
	return claims, nil
}

// purgeClaim takes out what a claim says of former owners. Its id is a hash of the address, so that with the org's secret
// and a guess one could tell who had it. What is said of the present owner stays.
func (e *Eraser) purgeClaim(ctx context.Context, a events.Aggregate) error {
	recorded, err := e.log.Read(ctx, a, 0)
	if err != nil {
		return err
	}
	var before uint64
	for _, r := range recorded {
		switch event := r.Event.(type) {
		case events.ClaimTaken, events.ClaimMoved:
			before = r.Sequence
		case events.ClaimReleased:
			before = r.Sequence + 1
		case events.Unknown:
			return command.ErrEventUnknown.WithCause(fmt.Errorf("%s at %d: %s: %s", a, r.Sequence, event.Type, event.Reason))
		}
	}
	return e.log.PurgeBefore(ctx, a, before)
}

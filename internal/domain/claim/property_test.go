package claim_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[claim.State, claim.Command]{
		Kind: events.KindClaim, Evolve: claim.Evolve, Decide: claim.Decide, Given: is(events.ClaimTaken{CustomerID: "a", Type: events.IdentityEmail}),
		Commands: []claim.Command{claim.Take{}, claim.Move{}, claim.Release{}},
		Fields:   domaintest.Fields{"Type": {events.IdentityEmail, events.IdentityPhone}},
	})
}

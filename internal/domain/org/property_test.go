package org_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[org.State, org.Command]{
		Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide, Given: created,
		Commands: []org.Command{org.Create{}, org.Rename{}},
		Fields:   domaintest.Fields{"Secret": {secret, secret[:31], []byte(nil)}},
	})
}

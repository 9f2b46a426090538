package key_test

import (
	"bytes"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[key.State, key.Command]{
		Kind: events.KindKey, Evolve: key.Evolve, Decide: key.Decide, Given: created,
		Commands: []key.Command{key.Issue{}, key.Revoke{}},
		Fields: domaintest.Fields{
			"Role": {events.RoleAdmin, events.RoleAgent, events.Role("")},
			"Hash": {hash, bytes.Repeat([]byte{1}, 32), []byte("secret"), []byte(nil)},
		},
	})
}

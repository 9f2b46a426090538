package queue_test

import (
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[queue.State, queue.Command]{
		Kind: events.KindQueue, Evolve: queue.Evolve, Decide: queue.Decide, Given: created,
		Commands: []queue.Command{queue.Create{}, queue.Rename{}, queue.AddMember{}, queue.RemoveMember{}, queue.Archive{}},
		Holds:    func(s queue.State) bool { return slices.IsSorted(s.Members) },
	})
}

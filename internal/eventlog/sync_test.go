package eventlog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestSyncCoversWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	log := testkit.Log(t)
	require.NoError(t, log.Sync(t.Context()), "an empty log has nothing to wait for")
	a := events.Aggregate{Org: "acme", Kind: events.KindQueue, ID: "q"}
	var last uint64
	for revision := range uint64(20) {
		stored, err := log.Append(t.Context(), eventlog.Write{Aggregate: a, Expected: last, Drafts: []events.Draft{{
			Metadata: events.Metadata{ID: events.NewID(), Time: time.Unix(int64(revision), 0), Revision: revision + 1},
			Event:    events.QueueRenamed{Name: "q"},
		}}})
		require.NoError(t, err)
		last = stored[0]
		require.NoError(t, log.Sync(t.Context()))
		require.GreaterOrEqual(t, log.Head(), last)
	}
}

package eventlog_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	suite(t, open(t, eventlog.Config{Dir: t.TempDir()}))
}

func TestExternal(t *testing.T) {
	t.Parallel()
	suite(t, open(t, eventlog.Config{URL: single(t).ClientURL(), Partitions: 8}))
}

func TestCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three nats-server processes")
	}
	suite(t, open(t, eventlog.Config{URL: startCluster(t).url(), Replicas: 3}))
}

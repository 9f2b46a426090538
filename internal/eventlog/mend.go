package eventlog

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	mendBeat  = 500 * time.Millisecond
	probeSize = 1 << 20 // bytes that must fit on the disk before the store is opened again
)

// mend brings the store back after a write to it failed: on a full disk nats-server refuses every write from then on,
// also when there is space again, and leaves their callers without an answer. Until the disk takes writes again the
// store is shut, so that callers are told at once. What was acknowledged is on the disk and is read back. back is called
// each time the store is open again.
func (e *embedded) mend(ctx context.Context, dir string, logger *slog.Logger, back func()) {
	sick := 0 // beats in a row: one alone may be a store that is busy opening
	for run.Pause(ctx, mendBeat) == nil {
		health := e.server.Healthz(&server.HealthzOptions{})
		if sick++; e.server.JetStreamEnabled() && health.Status == "ok" {
			sick = 0
		}
		if sick < 2 {
			continue
		}
		logger.ErrorContext(ctx, "the log cannot be written: free some space for it", "dir", dir, "error", health.Error)
		if err := e.server.ShutdownJetStream(); err != nil {
			logger.ErrorContext(ctx, "shut the log's store", "error", err)
			continue
		}
		e.shut.Store(true)
		for probe(dir) != nil {
			if run.Pause(ctx, mendBeat) != nil {
				return
			}
		}
		if err := e.server.EnableJetStream(&server.JetStreamConfig{StoreDir: dir, MaxStore: noLimit}); err != nil {
			logger.ErrorContext(ctx, "open the log's store again", "error", err)
			continue
		}
		e.shut.Store(false)
		logger.InfoContext(ctx, "the log can be written again")
		back()
	}
}

// probe tells whether the disk takes writes.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(make([]byte, probeSize))
	if err == nil {
		err = f.Sync()
	}
	if failed := f.Close(); err == nil {
		err = failed
	}
	return err
}

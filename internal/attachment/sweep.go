package attachment

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark-desk/tidemark/internal/blob"
)

const (
	sweepEvery = 6 * time.Hour
	forgotten  = 2 * ticketLife      // after which no message can list what is in a folder that no message lists
	looked     = 30 * 24 * time.Hour // after which a folder has been looked at often enough, and costs nothing any more
)

// Exists tells whether there is a conversation, and it was not erased.
type Exists func(ctx context.Context, org, conversationID string) (bool, error)

// Sweep deletes the folders of conversations that are not there: of visitors who uploaded something and never wrote, whom
// nobody could ask to have erased, and of uploads that were killed behind an erasure. Only what is older than any upload
// that may still be sent is looked at, for a month.
func (f *Files) Sweep(ctx context.Context, exists Exists) error {
	after, before := f.Clock().Add(-looked), f.Clock().Add(-forgotten)
	return f.Store.EachFolder(ctx, func(folder blob.Folder, last time.Time) error {
		if !last.Before(before) || last.Before(after) {
			return nil
		}
		there, err := exists(ctx, folder.Org, folder.ID)
		if err != nil {
			return fmt.Errorf("look for conversation %s: %w", folder.ID, err)
		}
		if there {
			return nil
		}
		return f.Store.DeleteFolder(ctx, folder)
	})
}

// RunSweeps sweeps now and every few hours until ctx ends. Several processes may: they find less to do.
func (f *Files) RunSweeps(ctx context.Context, exists Exists) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := f.Sweep(ctx, exists); err != nil && ctx.Err() == nil {
			f.Logger.WarnContext(ctx, "forgotten uploads were not all deleted; it is tried again later", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

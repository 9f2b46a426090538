package inbox

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Count is how much of a conversation its row accounts for: everything up to Sequence.
type Count struct {
	ConversationID  string
	Messages, Notes uint64
	Sequence        uint64
}

// Counts hands over the count of every conversation of an org, in any order, as of one moment. They are streamed and not
// collected, which generated queries cannot do: an org may have millions.
func (r *Reader) Counts(ctx context.Context, org string, fn func(Count)) error {
	rows, err := r.pool.Query(ctx, `SELECT id, message_count, note_count, sequence FROM inbox_conversations WHERE org = $1`, org)
	if err != nil {
		return fmt.Errorf("count the inbox: %w", err)
	}
	var c Count
	_, err = pgx.ForEachRow(rows, []any{&c.ConversationID, &c.Messages, &c.Notes, &c.Sequence}, func() error {
		fn(c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("count the inbox: %w", err)
	}
	return nil
}

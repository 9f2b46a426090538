package timeline

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Count is how many entries a conversation has in a range of the log.
type Count struct {
	ConversationID  string
	Messages, Notes uint64
	Sequence        uint64 // of its newest entry, in the range or not; 0 when it has none
}

// Counts hands over, for every conversation of an org, its entries with a sequence after one and up to another, as of one
// moment and in any order. They are streamed and not collected, which generated queries cannot do: an org may have
// millions. What was said in a conversation that was merged is counted where it was said.
func (r *Reader) Counts(ctx context.Context, org string, after, through uint64, fn func(Count)) error {
	rows, err := r.pool.Query(ctx, `
		SELECT c.id, coalesce(max(e.sequence), 0),
		       count(*) FILTER (WHERE e.kind IN ('message_received', 'message_written') AND e.sequence > $2 AND e.sequence <= $3),
		       count(*) FILTER (WHERE e.kind = 'note_added' AND e.sequence > $2 AND e.sequence <= $3)
		  FROM timeline_conversations c
		  LEFT JOIN timeline_entries e ON e.org = c.org AND e.conversation_id = c.id
		 WHERE c.org = $1
		 GROUP BY c.id`, org, after, through)
	if err != nil {
		return fmt.Errorf("count the timeline: %w", err)
	}
	var c Count
	_, err = pgx.ForEachRow(rows, []any{&c.ConversationID, &c.Sequence, &c.Messages, &c.Notes}, func() error {
		fn(c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("count the timeline: %w", err)
	}
	return nil
}

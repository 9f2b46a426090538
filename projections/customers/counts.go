package customers

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Count is how much of a customer their profile accounts for: everything up to Sequence.
type Count struct {
	CustomerID string
	Sequence   uint64
}

// Counts hands over the count of every customer of an org, merged ones too, in any order, as of one moment. They are
// streamed and not collected, which generated queries cannot do: an org may have millions.
func (r *Reader) Counts(ctx context.Context, org string, fn func(Count)) error {
	rows, err := r.pool.Query(ctx, `SELECT id, sequence FROM customer_profiles WHERE org = $1`, org)
	if err != nil {
		return fmt.Errorf("count customers: %w", err)
	}
	var c Count
	_, err = pgx.ForEachRow(rows, []any{&c.CustomerID, &c.Sequence}, func() error {
		fn(c)
		return nil
	})
	if err != nil {
		return fmt.Errorf("count customers: %w", err)
	}
	return nil
}

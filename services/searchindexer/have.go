package searchindexer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// have tells what the index has of some conversations. It reads each document: it is for accounts.
func (a *answers) have(ctx context.Context, body []byte) (any, error) {
	var r search.HaveRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, malformed(err)
	}
	if !events.ValidID(r.Org) {
		return nil, fault.New(fault.Invalid, "org_invalid", "an account is of one org")
	}
	if len(r.IDs) > search.HaveMost {
		return nil, malformed(fmt.Errorf("%d conversations, at most %d", len(r.IDs), search.HaveMost))
	}
	list := make([]search.Have, 0, len(r.IDs))
	for _, id := range r.IDs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		doc, err := a.engine.Document(ctx, r.Org, id)
		if err != nil {
			return nil, a.away(fmt.Errorf("read the document of %s: %w", id, err))
		}
		if doc != nil {
			list = append(list, search.HaveOf(doc))
		}
	}
	return list, nil
}

// Package relevance measures how well searches find what people look for: queries that each were made from one conversation,
// or judged by hand, and how far up that conversation stands in the answer.
//
// It must not know how an engine finds.
package relevance

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Judged is a query, and the conversation that it should find.
type Judged struct {
	Kind         string // how it was made
	Query        string
	Conversation string
}

// Report says how well an engine does: the mean of 1/rank within the first ten, and the share that is found within the
// first fifty.
type Report struct {
	Queries  int
	MRR10    float64
	Recall50 float64
	Missed   []Judged // not within the first fifty
}

const (
	ranked = 10
	found  = 50
)

// Measure asks an engine everything that was judged. The reports are by kind; that of all is under the empty one.
func Measure(ctx context.Context, engine search.Engine, org string, judged []Judged) (map[string]Report, error) {
	out := map[string]Report{}
	for _, j := range judged {
		q, err := search.Request{Org: org, Q: j.Query, Limit: found}.Parse()
		if err != nil {
			return nil, fmt.Errorf("read the query %q: %w", j.Query, err)
		}
		res, err := engine.Search(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("search for %q: %w", j.Query, err)
		}
		at := slices.IndexFunc(res.Hits, func(h search.Hit) bool { return h.ConversationID == j.Conversation })
		of := []string{""}
		if j.Kind != "" {
			of = append(of, j.Kind)
		}
		for _, kind := range of {
			r := out[kind]
			r.Queries++
			if at >= 0 {
				r.Recall50++
			} else {
				r.Missed = append(r.Missed, j)
			}
			if at >= 0 && at < ranked {
				r.MRR10 += 1 / float64(at+1)
			}
			out[kind] = r
		}
	}
	for kind, r := range out {
		r.MRR10 /= float64(r.Queries)
		r.Recall50 /= float64(r.Queries)
		out[kind] = r
	}
	return out, nil
}

package modeltest

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
)

// Erased tells of each customer of a whole stream whether they are erased, or went on in somebody who is.
func Erased(stream []events.Recorded) func(org, customer string) bool {
	into, erased := map[[2]string]string{}, map[[2]string]bool{}
	for _, r := range stream {
		k := [2]string{r.Org, r.Aggregate.ID}
		switch e := r.Event.(type) {
		case events.CustomerMerged:
			into[k] = e.IntoID
		case events.CustomerErased:
			erased[k] = true
		}
	}
	return func(org, customer string) bool {
		for range len(into) + 1 { // a circle of merges ends
			if erased[[2]string{org, customer}] {
				return true
			}
			next, ok := into[[2]string{org, customer}]
			if !ok {
				return false
			}
			customer = next
		}
		return false
	}
}

// gone tells whether an event says that nothing before it is to be kept.
func gone(e events.Event) bool {
	switch e.(type) {
	case events.CustomerErased, events.ConversationErased:
		return true
	}
	return false
}

// Erase ends every erasure of a stream as the desk ends them: whoever was merged into somebody who is erased has a
// tombstone too, and so has each of their conversations (whole); then what precedes a tombstone is purged (left).
func Erase(stream []events.Recorded) (whole, left []events.Recorded) {
	whole = slices.Clone(stream)
	last, stones := map[events.Aggregate]events.Recorded{}, map[events.Aggregate]uint64{}
	owner := map[events.Aggregate]string{}
	var order []events.Aggregate
	for _, r := range stream {
		if _, seen := last[r.Aggregate]; !seen {
			order = append(order, r.Aggregate)
		}
		last[r.Aggregate] = r
		if _, there := stones[r.Aggregate]; !there && gone(r.Event) {
			stones[r.Aggregate] = r.Sequence
		}
		if e, ok := r.Event.(events.ConversationOpened); ok {
			owner[r.Aggregate] = e.CustomerID
		}
	}
	erased := Erased(stream)
	for _, a := range order {
		customer, stone := a.ID, events.Event(events.CustomerErased{Reason: "asked", WithID: "u0"})
		if a.Kind == events.KindConversation {
			customer, stone = owner[a], events.ConversationErased{Reason: "customer_erased"}
		}
		if _, there := stones[a]; there || !erased(a.Org, customer) {
			continue
		}
		r := last[a]
		r.Sequence, r.Revision, r.Event = whole[len(whole)-1].Sequence+1, r.Revision+1, stone
		r.Time = Epoch.Add(time.Duration(r.Sequence) * time.Hour) //nolint:gosec // a test is short
		whole, stones[a] = append(whole, r), r.Sequence
	}
	for _, r := range whole {
		if r.Sequence >= stones[r.Aggregate] {
			left = append(left, r)
		}
	}
	return whole, left
}

// Dump is the rows of tables as text, each with its table's name, in one order.
func Dump(ctx context.Context, pool *pgxpool.Pool, tables ...string) ([]string, error) {
	var out []string
	for _, t := range tables {
		rows, err := pool.Query(ctx, "SELECT $1 || ' ' || r::text FROM "+pgx.Identifier{t}.Sanitize()+" r ORDER BY 1", t)
		if err != nil {
			return nil, err
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

package api

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/ledger"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// NewLedger is the ledger over the read models that show conversations and customers, and over surveys. The pool's search_path has all of them.
func NewLedger(log ledger.Log, pool *pgxpool.Pool, freshness *projections.Freshness, index *search.Client, wait time.Duration) *ledger.Ledger {
	kept := func(name string) keptModel { return keptModel{name: name, pool: pool, freshness: freshness} }
	return &ledger.Ledger{Log: log, Wait: wait, Surveyor: ledgerSurveys{kept(surveyReactor)}, Models: []ledger.Model{
		ledgerInbox{kept(inboxModel), inbox.NewReader(pool)},
		ledgerTimeline{kept(timelineModel), timeline.NewReader(pool)},
		ledgerCustomers{kept(customersModel), customers.NewReader(pool)},
		ledgerSearch{index},
	}}
}

// keptModel is what the ledger asks of every read model in Postgres.
type keptModel struct {
	name      string
	pool      *pgxpool.Pool
	freshness *projections.Freshness
}

func (m keptModel) Name() string { return m.name }

func (keptModel) Of() events.Kind { return events.KindConversation }

func (m keptModel) Await(ctx context.Context, through []uint64, longest time.Duration) error {
	return m.freshness.AwaitThrough(ctx, m.name, through, longest)
}

func (m keptModel) Lag(ctx context.Context) (projections.AsOf, error) {
	return m.freshness.AsOf(ctx, m.name)
}

func (m keptModel) Parked(ctx context.Context) ([]projections.Parked, error) {
	return projections.ListParked(ctx, m.pool, m.name)
}

type ledgerInbox struct {
	keptModel
	reader *inbox.Reader
}

func (m ledgerInbox) Shown(ctx context.Context, ask ledger.Ask, fn func(ledger.Shown)) error {
	return m.reader.Counts(ctx, ask.Org, func(c inbox.Count) {
		fn(ledger.Shown{ID: c.ConversationID, Messages: c.Messages, Notes: c.Notes, Sequence: c.Sequence})
	})
}

type ledgerTimeline struct {
	keptModel
	reader *timeline.Reader
}

func (m ledgerTimeline) Shown(ctx context.Context, ask ledger.Ask, fn func(ledger.Shown)) error {
	return m.reader.Counts(ctx, ask.Org, ask.After, ask.Through, func(c timeline.Count) {
		fn(ledger.Shown{ID: c.ConversationID, Messages: c.Messages, Notes: c.Notes, Sequence: c.Sequence, Ranged: true})
	})
}

type ledgerCustomers struct {
	keptModel
	reader *customers.Reader
}

func (ledgerCustomers) Of() events.Kind { return events.KindCustomer }

func (m ledgerCustomers) Shown(ctx context.Context, ask ledger.Ask, fn func(ledger.Shown)) error {
	return m.reader.Counts(ctx, ask.Org, func(c customers.Count) {
		fn(ledger.Shown{ID: c.CustomerID, Sequence: c.Sequence})
	})
}

// ledgerSurveys is the reactor that asks visitors.
type ledgerSurveys struct{ keptModel }

func (m ledgerSurveys) Pending(ctx context.Context, org string, fn func(key string, failed bool)) error {
	return projections.PendingIntents(ctx, m.pool, m.name, org, fn)
}

// ledgerSearch asks the search indexer, in whichever process it is.
type ledgerSearch struct{ index *search.Client }

func (m ledgerSearch) Name() string { return searchIndex }

func (ledgerSearch) Of() events.Kind { return events.KindConversation }

// Await asks again and again: the index tells how far it is, and may be opening still.
func (m ledgerSearch) Await(ctx context.Context, through []uint64, longest time.Duration) error {
	limit := time.NewTimer(longest)
	defer limit.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		status, err := m.index.Status(ctx)
		if err == nil && covers(status.Partitions, through) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			switch {
			case err != nil:
				return err
			case len(status.Partitions) == 0: // the index is not open
				return search.ErrUnavailable
			}
			return projections.ErrNotYet
		case <-poll.C:
		}
	}
}

// covers tells whether every partition that has something to apply has applied it.
func covers(partitions []projections.Status, through []uint64) bool {
	reached := make([]bool, len(through))
	for i, sequence := range through {
		reached[i] = sequence == 0
	}
	for _, p := range partitions {
		if p.Partition < len(through) && p.Progress.Covers(through[p.Partition]) {
			reached[p.Partition] = true
		}
	}
	for _, there := range reached {
		if !there {
			return false
		}
	}
	return true
}

func (m ledgerSearch) Lag(ctx context.Context) (projections.AsOf, error) {
	status, err := m.index.Status(ctx)
	return status.AsOf, err
}

func (m ledgerSearch) Parked(ctx context.Context) ([]projections.Parked, error) {
	return m.index.Parked(ctx)
}

func (m ledgerSearch) Shown(ctx context.Context, ask ledger.Ask, fn func(ledger.Shown)) error {
	return m.index.Have(ctx, ask.Org, ask.IDs, func(h search.Have) {
		fn(ledger.Shown{ID: h.ID, Messages: h.Messages, Notes: h.Notes, Sequence: h.Position})
	})
}

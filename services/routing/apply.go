package routing

import (
	"cmp"
	"context"
	_ "embed" // the schema
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/services/routing/db"
)

//go:embed schema.sql
var schema string

// Name of the projection behind routing, and of its schema.
const Name = "routing"

// The kinds of intent.
const (
	intentDispatch = "dispatch"
	intentWake     = "wake"
)

// wake is the payload of an intent to end a snooze.
type wake struct {
	ConversationID string    `json:"conversation_id"`
	Until          time.Time `json:"until"`
}

// handler folds conversations into work items and writes down when an org's work is to be looked at. It decides
// nothing: presence and configuration reach it in any order relative to the conversations, so every decision is
// left to the dispatcher, which looks at all of it after the commit.
type handler struct{}

var _ projections.Reactor = handler{}

func (handler) Name() string { return Name }

func (handler) Kinds() []events.Kind {
	return []events.Kind{events.KindConversation, events.KindAgent, events.KindQueue, events.KindSettings}
}

func (handler) Schema() string { return schema }

// Reacts lets the engine know of the intents.
func (handler) Reacts() {}

func (handler) Apply(ctx context.Context, tx pgx.Tx, batch []events.Recorded) error {
	f := folding{items: map[key]item{}, assigned: map[key]time.Time{}, asked: map[string]events.Recorded{}}
	q := db.New(tx)
	if err := f.load(ctx, q, batch); err != nil {
		return err
	}
	for _, r := range batch {
		f.apply(r)
	}
	if err := f.store(ctx, q); err != nil {
		return err
	}
	for org, ids := range f.cancel {
		if err := projections.CancelIntents(ctx, tx, org, ids...); err != nil {
			return err
		}
	}
	return projections.WriteIntents(ctx, tx, f.intents())
}

// key names a conversation or an agent.
type key struct{ org, id string }

func compareKeys(a, b key) int { return cmp.Or(cmp.Compare(a.org, b.org), cmp.Compare(a.id, b.id)) }

// folding is one batch on its way into the tables: each row is read once and written once.
type folding struct {
	items    map[key]item
	assigned map[key]time.Time          // by agent
	asked    map[string]events.Recorded // by org: the newest event that asks for a look at its work
	wakes    []projections.Intent
	cancel   map[string][]string // by org: ids of wakes that are no longer wanted
}

func (f *folding) load(ctx context.Context, q *db.Queries, batch []events.Recorded) error {
	var p db.LoadItemsParams
	seen := map[key]bool{}
	for _, r := range batch {
		k := key{r.Org, r.Aggregate.ID}
		if r.Kind != events.KindConversation || seen[k] {
			continue
		}
		seen[k] = true
		p.Orgs, p.ConversationIds = append(p.Orgs, k.org), append(p.ConversationIds, k.id)
	}
	if len(seen) == 0 {
		return nil
	}
	rows, err := q.LoadItems(ctx, p)
	if err != nil {
		return fmt.Errorf("load work items: %w", err)
	}
	for _, row := range rows {
		f.items[key{row.Org, row.ConversationID}] = fromRow(row)
	}
	return nil
}

func (f *folding) apply(r events.Recorded) {
	if r.Kind != events.KindConversation {
		f.ask(r)
		return
	}
	k := key{r.Org, r.Aggregate.ID}
	before, known := f.items[k]
	if _, begins := r.Event.(events.ConversationOpened); !known && !begins {
		return // what has no beginning was erased
	}
	after := before.evolve(r)
	f.items[k] = after
	if asks(before, after) {
		f.ask(r)
	}
	if e, ok := r.Event.(events.ConversationAssigned); ok {
		agent := key{r.Org, e.AgentID}
		if r.Time.After(f.assigned[agent]) {
			f.assigned[agent] = r.Time
		}
	}
	if before.SnoozedRevision != after.SnoozedRevision {
		f.snooze(before, after, r)
	}
}

func (f *folding) ask(r events.Recorded) {
	if r.Sequence > f.asked[r.Org].Sequence {
		f.asked[r.Org] = r
	}
}

// snooze exchanges the timer of the snooze that ended for that of the snooze that began.
func (f *folding) snooze(before, after item, r events.Recorded) {
	if before.SnoozedRevision != 0 {
		id := wakeID(before.ID, before.SnoozedRevision)
		f.wakes = slices.DeleteFunc(f.wakes, func(i projections.Intent) bool { return i.Org == r.Org && i.ID == id })
		if f.cancel == nil {
			f.cancel = map[string][]string{}
		}
		f.cancel[r.Org] = append(f.cancel[r.Org], id)
	}
	e, ok := r.Event.(events.ConversationSnoozed)
	if !ok {
		return
	}
	payload, _ := json.Marshal(wake{ConversationID: after.ID, Until: e.Until}) //nolint:errchkjson // strings and times always encode
	f.wakes = append(f.wakes, projections.Intent{
		ID: wakeID(after.ID, after.SnoozedRevision), Org: r.Org, Kind: intentWake, Key: after.ID,
		Cause: r.Sequence, Depth: r.Depth + 1, Payload: payload, DueAt: e.Until,
	})
}

func wakeID(conversation string, revision uint64) string {
	return "wake:" + conversation + ":" + strconv.FormatUint(revision, 10)
}

func (f *folding) intents() []projections.Intent {
	out := f.wakes
	for org, r := range f.asked {
		// One for each org, however often it is asked for: a look sees everything that was written before it.
		out = append(out, projections.Intent{
			ID: intentDispatch, Org: org, Kind: intentDispatch, Key: intentDispatch, Cause: r.Sequence, Depth: r.Depth + 1, Coalesce: true,
		})
	}
	return out
}

func (f *folding) store(ctx context.Context, q *db.Queries) error {
	var items db.StoreItemsParams
	var gone db.DeleteItemsParams
	for _, k := range slices.SortedFunc(maps.Keys(f.items), compareKeys) {
		if f.items[k].Erased {
			gone.Orgs, gone.ConversationIds = append(gone.Orgs, k.org), append(gone.ConversationIds, k.id)
			continue
		}
		appendItem(&items, f.items[k])
	}
	if len(items.Orgs) > 0 {
		if err := q.StoreItems(ctx, items); err != nil {
			return fmt.Errorf("store work items: %w", err)
		}
	}
	if len(gone.Orgs) > 0 {
		if err := q.DeleteItems(ctx, gone); err != nil {
			return fmt.Errorf("remove erased work items: %w", err)
		}
	}
	if len(f.assigned) == 0 {
		return nil
	}
	var p db.StoreAssignedParams
	// Partitions share these rows; one order keeps their transactions from waiting for each other in a circle.
	for _, k := range slices.SortedFunc(maps.Keys(f.assigned), compareKeys) {
		p.Orgs, p.AgentIds, p.Times = append(p.Orgs, k.org), append(p.AgentIds, k.id), append(p.Times, f.assigned[k])
	}
	if err := q.StoreAssigned(ctx, p); err != nil {
		return fmt.Errorf("store when agents were assigned to: %w", err)
	}
	return nil
}

func fromRow(r db.WorkItem) item {
	return item{
		Org: r.Org, ID: r.ConversationID, Status: events.Status(r.Status), Merged: r.Merged,
		QueueID: r.QueueID, AssigneeID: r.AssigneeID, Priority: int(r.Priority), WaitingSince: r.WaitingSince,
		Version: uint64(r.Version), AssignedRevision: uint64(r.AssignedRevision), AssignedTime: r.AssignedTime, //nolint:gosec // written by appendItem
		SnoozedRevision: uint64(r.SnoozedRevision), Sequence: uint64(r.Sequence), //nolint:gosec // written by appendItem
	}
}

func appendItem(p *db.StoreItemsParams, it item) {
	p.Orgs = append(p.Orgs, it.Org)
	p.ConversationIds = append(p.ConversationIds, it.ID)
	p.Statuses = append(p.Statuses, string(it.Status))
	p.Merged = append(p.Merged, it.Merged)
	p.QueueIds = append(p.QueueIds, it.QueueID)
	p.AssigneeIds = append(p.AssigneeIds, it.AssigneeID)
	p.Priorities = append(p.Priorities, int16(it.Priority)) //nolint:gosec // an index in a list of four
	p.WaitingSince = append(p.WaitingSince, it.WaitingSince)
	p.Versions = append(p.Versions, int64(it.Version))                          //nolint:gosec // sequences and revisions stay far below 2^63
	p.AssignedRevision = append(p.AssignedRevision, int64(it.AssignedRevision)) //nolint:gosec // as above
	p.AssignedTime = append(p.AssignedTime, it.AssignedTime)
	p.SnoozedRevision = append(p.SnoozedRevision, int64(it.SnoozedRevision)) //nolint:gosec // as above
	p.Sequences = append(p.Sequences, int64(it.Sequence))                    //nolint:gosec // as above
}

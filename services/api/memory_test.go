package api_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// memory answers reads by folding the log at once: read models that never lag. behind makes them lag.
type memory struct {
	log    *eventlog.Log
	behind uint64 // sequences that are not shown
}

func (m *memory) upto() uint64 { return m.log.Head() - min(m.behind, m.log.Head()) }

func (m *memory) scan(ctx context.Context, org string, each func(e events.Recorded)) error {
	for from := uint64(1); ; {
		b, err := m.log.Block(ctx, from)
		if err != nil || b.Next == from {
			return err
		}
		for _, e := range b.Events {
			if e.Org == org && e.Sequence <= m.upto() {
				each(e)
			}
		}
		from = b.Next
	}
}

func (m *memory) AsOf(context.Context, string) (projections.AsOf, error) {
	return projections.AsOf{
		Position: events.Position{Incarnation: m.log.Incarnation(), Sequence: m.upto()}, Time: m.log.HeadTime(), LagEvents: m.behind,
	}, nil
}

func (m *memory) AwaitOf(ctx context.Context, name string, _ events.Aggregate, p events.Position, longest time.Duration) error {
	return m.Await(ctx, name, p, longest)
}

func (m *memory) Await(ctx context.Context, _ string, p events.Position, _ time.Duration) error {
	if m.behind == 0 && p.Incarnation == m.log.Incarnation() && p.Sequence > 0 && p.Sequence < m.log.Head()+10 {
		return m.log.Wait(ctx, p.Sequence-1)
	}
	switch {
	case p.Incarnation != m.log.Incarnation():
		return fault.New(fault.Invalid, "position_unknown", "the position is of another log")
	case p.Sequence > m.upto():
		return fault.New(fault.Unavailable, "not_yet", "the position has not been applied yet: 3 events behind")
	}
	return nil
}

func (m *memory) List(ctx context.Context, org string, q inbox.Query) (inbox.Page, error) {
	var order []string
	rows := map[string]*inbox.Conversation{}
	err := m.scan(ctx, org, func(e events.Recorded) {
		if e.Kind != events.KindConversation {
			return
		}
		c := rows[e.Aggregate.ID]
		if c == nil {
			c = &inbox.Conversation{
				Org: org, ID: e.Aggregate.ID, Status: events.StatusOpen, Priority: events.PriorityNormal, Tags: []string{},
				Attributes: map[string]any{}, CreatedAt: e.Time,
			}
			rows[c.ID], order = c, append(order, e.Aggregate.ID)
		}
		fold(c, e)
	})
	page := inbox.Page{}
	for _, id := range order {
		c := rows[id]
		if (q.Status == "any" || q.Status == "" || q.Status == string(c.Status)) && (q.Assignee == "" || q.Assignee == c.AssigneeID) {
			page.Items = append(page.Items, *c)
		}
	}
	if q.Limit > 0 && len(page.Items) > q.Limit {
		page.Items, page.Next = page.Items[:q.Limit], "more"
	}
	return page, err
}

func fold(c *inbox.Conversation, r events.Recorded) {
	c.UpdatedAt, c.Sequence = r.Time, r.Sequence
	switch e := r.Event.(type) {
	case events.ConversationOpened:
		c.CustomerID, c.Channel, c.Subject = e.CustomerID, e.Channel, e.Subject
	case events.ConversationSubjectSet:
		c.Subject = e.Subject
	case events.ConversationMessageReceived:
		c.MessageCount++
	case events.ConversationMessageWritten:
		c.MessageCount++
	case events.ConversationQueued:
		c.QueueID = e.QueueID
	case events.ConversationAssigned:
		c.AssigneeID = e.AgentID
	case events.ConversationUnassigned:
		c.AssigneeID = ""
	case events.ConversationPrioritySet:
		c.Priority = e.Priority
	case events.ConversationTagged:
		c.Tags = append(c.Tags, e.Tag)
	case events.ConversationUntagged:
		c.Tags = slices.DeleteFunc(c.Tags, func(t string) bool { return t == e.Tag })
	case events.ConversationAttributesSet:
		maps.Copy(c.Attributes, e.Attributes)
	case events.ConversationClosed:
		c.Status = events.StatusClosed
	case events.ConversationReopened:
		c.Status = events.StatusOpen
	case events.ConversationSnoozed:
		c.Status = events.StatusSnoozed
	}
}

func (m *memory) Get(ctx context.Context, org, id string) (inbox.Conversation, error) {
	page, err := m.List(ctx, org, inbox.Query{})
	for _, c := range page.Items {
		if c.ID == id {
			return c, err
		}
	}
	return inbox.Conversation{}, inbox.ErrNotFound
}

func (m *memory) Search(ctx context.Context, r search.Request) (search.Answer, error) {
	if _, err := r.Parse(); err != nil {
		return search.Answer{}, err
	}
	as, err := m.AsOf(ctx, "search")
	return search.Answer{AsOf: as}, err
}

func (m *memory) Status(ctx context.Context) (search.Status, error) {
	as, err := m.AsOf(ctx, "search")
	return search.Status{State: "running", Healthy: true, AsOf: as}, err
}

func (m *memory) timeline() memoryTimeline   { return memoryTimeline{m} }
func (m *memory) customers() memoryCustomers { return memoryCustomers{m} }

type memoryTimeline struct{ *memory }

func (m memoryTimeline) entries(ctx context.Context, org string, q timeline.Query, want func(events.Recorded) (timeline.Entry, bool)) (timeline.Page, error) {
	page := timeline.Page{}
	err := m.scan(ctx, org, func(r events.Recorded) {
		if e, ok := want(r); ok {
			e.ConversationID, e.Sequence, e.At = r.Aggregate.ID, r.Sequence, r.Time
			page.Items = append(page.Items, e)
		}
	})
	if q.NewestFirst {
		slices.Reverse(page.Items)
	}
	if len(page.Items) > q.Limit {
		page.Items, page.Next = page.Items[:q.Limit], "more"
	}
	return page, err
}

func message(r events.Recorded) (timeline.Entry, bool) {
	switch e := r.Event.(type) {
	case events.ConversationMessageReceived:
		return timeline.Entry{ConversationID: r.Aggregate.ID, Attachments: e.Attachments, Kind: timeline.MessageReceived, ID: e.MessageID, Text: e.Text, Author: events.Actor{Type: "customer", ID: e.CustomerID}}, true
	case events.ConversationMessageWritten:
		return timeline.Entry{ConversationID: r.Aggregate.ID, Attachments: e.Attachments, Kind: timeline.MessageWritten, ID: e.MessageID, Text: e.Text, Author: e.Author}, true
	}
	return timeline.Entry{}, false
}

func (m memoryTimeline) Messages(ctx context.Context, org, id string, q timeline.Query) (timeline.Page, error) {
	return m.entries(ctx, org, q, func(r events.Recorded) (timeline.Entry, bool) {
		e, ok := message(r)
		return e, ok && r.Aggregate.ID == id
	})
}

func (m memoryTimeline) Notes(ctx context.Context, org, id string, q timeline.Query) (timeline.Page, error) {
	return m.entries(ctx, org, q, func(r events.Recorded) (timeline.Entry, bool) {
		n, ok := r.Event.(events.ConversationNoteAdded)
		return timeline.Entry{Kind: timeline.NoteAdded, ID: n.NoteID, Text: n.Text, Author: n.Author, Attachments: n.Attachments}, ok && r.Aggregate.ID == id
	})
}

func (m memoryTimeline) ByCustomer(ctx context.Context, org, id string, q timeline.Query) (timeline.Page, error) {
	return m.entries(ctx, org, q, func(r events.Recorded) (timeline.Entry, bool) {
		e, ok := message(r)
		return e, ok && e.Author.ID == id
	})
}

type memoryCustomers struct{ *memory }

func (m memoryCustomers) List(ctx context.Context, org string, q customers.Query) (customers.Page, error) {
	page := customers.Page{}
	at := map[string]int{}
	err := m.scan(ctx, org, func(r events.Recorded) {
		i, known := at[r.Aggregate.ID]
		switch e := r.Event.(type) {
		case events.CustomerCreated:
			at[r.Aggregate.ID] = len(page.Items)
			page.Items = append(page.Items, customers.Customer{ID: r.Aggregate.ID, Name: e.Name, Identities: []events.Identity{}, Attributes: map[string]any{}})
		case events.CustomerIdentified:
			if known {
				page.Items[i].Identities = append(page.Items[i].Identities, e.Identity)
			}
		}
	})
	if q.Identity != (events.Identity{}) {
		page.Items = slices.DeleteFunc(page.Items, func(c customers.Customer) bool { return !slices.Contains(c.Identities, q.Identity) })
	}
	return page, err
}

func (m memoryCustomers) Get(ctx context.Context, org, id string) (customers.Customer, error) {
	page, err := m.List(ctx, org, customers.Query{})
	for _, c := range page.Items {
		if c.ID == id {
			return c, err
		}
	}
	return customers.Customer{}, customers.ErrNotFound
}

// operator keeps what was asked of it.
type operator struct {
	parked []projections.Parked
	away   error // of the search index
	asked  []string
}

func (o *operator) ask(what, name string) error {
	o.asked = append(o.asked, what+" "+name)
	return nil
}

func (o *operator) Rebuilds(context.Context) ([]projections.Rebuild, error) {
	return []projections.Rebuild{{Projection: "inbox", State: projections.RebuildReady, Done: 7, Total: 7}}, nil
}

func (o *operator) Rebuild(_ context.Context, name string) error   { return o.ask("rebuild", name) }
func (o *operator) Ask(_ context.Context, name, what string) error { return o.ask(what, name) }

func (o *operator) Parked(_ context.Context, name string) (list []projections.Parked, _ error) {
	if name == "search" && o.away != nil {
		return nil, o.away
	}
	for _, p := range o.parked {
		if p.Projection == name || name == "" && p.Projection != "search" {
			list = append(list, p)
		}
	}
	return list, nil
}

func (o *operator) RetryParked(_ context.Context, name, key string, sequence uint64) error {
	return o.askParked("retry", name, key, sequence)
}

func (o *operator) DropParked(_ context.Context, name, key string, sequence uint64) error {
	return o.askParked("drop", name, key, sequence)
}

func (o *operator) askParked(what, name, key string, sequence uint64) error {
	for _, p := range o.parked {
		if p.Projection == name && p.Key() == key && p.Sequence != sequence {
			return projections.NotAskable(&p)
		}
	}
	return o.ask(fmt.Sprint(what, " ", key, " at ", sequence), name)
}

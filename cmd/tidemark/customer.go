package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// customerCommand is about the people whom the desk helps.
type customerCommand struct {
	List  customerList  `cmd:"" default:"withargs" help:"List customers by name."`
	Show  customerShow  `cmd:"" help:"Show one customer."`
	Erase customerErase `cmd:"" help:"Erase a customer with all their conversations, for ever, and wait until nothing is left."`
}

// customerRow is one item of GET /v1/customers.
type customerRow struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Identities []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"identities"`
	Attributes map[string]any `json:"attributes"`
	MergedInto *string        `json:"merged_into"`
	CreatedAt  time.Time      `json:"created_at"`
	UpdatedAt  time.Time      `json:"updated_at"`
}

func (c customerRow) addresses() string {
	list := make([]string, len(c.Identities))
	for i, a := range c.Identities {
		list[i] = a.Type + ":" + a.Value
	}
	return strings.Join(list, " ")
}

type customerList struct {
	Client     clientFlags `embed:""`
	Name       string      `help:"Whose name begins so, in any case."`
	Email      string      `help:"Who has this address."`
	Phone      string      `help:"Who has this number."`
	ExternalID string      `help:"Who has this id in your own system."`
}

// Run lists.
func (c *customerList) Run(ctx context.Context, p *printer) error {
	q := url.Values{"limit": {"100"}}
	for name, value := range map[string]string{"name": c.Name, "email": c.Email, "phone": c.Phone, "external_id": c.ExternalID} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return list(ctx, p, c.Client, "/v1/customers?"+q.Encode(), []string{"ID", "NAME", "ADDRESSES", "SINCE"}, func(c customerRow) []string {
		return []string{c.ID, c.Name, c.addresses(), c.CreatedAt.Format(time.RFC3339)}
	})
}

type customerRef struct {
	Client clientFlags `embed:""`
	ID     string      `arg:"" help:"Of the customer, as in the list."`
}

func (r customerRef) path() string { return "/v1/customers/" + url.PathEscape(r.ID) }

type customerShow struct{ customerRef }

// Run shows.
func (c *customerShow) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var row customerRow
	if err := server.do(ctx, http.MethodGet, c.path(), nil, &row); err != nil {
		return err
	}
	if p.json {
		return p.object(row)
	}
	rows := [][]string{
		{"id", row.ID},
		{"name", row.Name},
		{"addresses", row.addresses()},
		{"since", row.CreatedAt.Format(time.RFC3339)},
	}
	if row.MergedInto != nil {
		rows = append(rows, []string{"went on in", *row.MergedInto})
	}
	return p.table([]string{"FIELD", "VALUE"}, rows)
}

type customerErase struct {
	customerRef
	NoWait bool `help:"Do not wait; the same command tells how far it is."`
}

// erasureState is what DELETE /v1/customers/{id} and its erasure answer.
type erasureState struct {
	CustomerID string    `json:"customer_id"`
	Status     string    `json:"status"`
	AskedAt    time.Time `json:"asked_at"`
	Position   string    `json:"position"`
}

// Run erases. Asked again for the same customer it adds nothing, and waits for what was begun.
func (c *customerErase) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var e erasureState
	if err := server.do(ctx, http.MethodDelete, c.path(), nil, &e); err != nil {
		return err
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for e.Status != "done" && !c.NoWait {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := server.do(ctx, http.MethodGet, c.path()+"/erasure", nil, &e); err != nil {
			return err
		}
	}
	switch {
	case p.json:
		return p.object(e)
	case e.Status == "done":
		p.say("Erased. Nothing is left of customer %s but that they were erased.", c.ID)
	default:
		p.say("The erasure goes on in the server. The same command tells how far it is.")
	}
	return nil
}

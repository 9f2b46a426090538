package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/identity"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// Customer is a person whom the desk helps.
type Customer struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Identities []events.Identity `json:"identities" nullable:"false" doc:"Addresses by which the customer is known, in one spelling."`
	Attributes map[string]any    `json:"attributes"`
	MergedInto *string           `json:"merged_into" doc:"The customer who took over."`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
}

// CustomerWithAsOf is one customer as of a position.
type CustomerWithAsOf struct {
	Customer
	AsOf *AsOf `json:"as_of"`
}

// Entry is one thing of a customer's timeline.
type Entry struct {
	Kind           timeline.Kind    `json:"kind" example:"message_received"`
	ConversationID string           `json:"conversation_id"`
	ID             string           `json:"id,omitempty" doc:"Of the message or the note."`
	Author         Author           `json:"author"`
	Text           string           `json:"text,omitempty"`
	Detail         *timeline.Detail `json:"detail,omitempty"`
	At             time.Time        `json:"at"`

	Attachments []attachment.Attachment `json:"attachments,omitempty" doc:"Of the message."`
}

func (s *Service) registerCustomers() {
	const tag = "Customers"
	reading := []string{"not_yet", "position_unknown", "cursor_invalid", "cursor_mismatch", "log_unavailable"}
	add(s, operation{
		id: "list-customers", method: http.MethodGet, path: "/v1/customers", tag: tag,
		summary: "List customers by name", codes: append([]string{"identity_invalid"}, reading...),
	}, s.listCustomers)
	add(s, operation{
		id: "get-customer", method: http.MethodGet, path: "/v1/customers/{id}", tag: tag,
		summary: "Get a customer", codes: append([]string{"customer_not_found", "customer_erased"}, reading...),
	}, s.getCustomer)
	add(s, operation{
		id: "customer-timeline", method: http.MethodGet, path: "/v1/customers/{id}/timeline", tag: tag,
		summary: "What was said and done in a customer's conversations, newest first",
		codes:   append([]string{"customer_not_found", "customer_erased"}, reading...),
	}, s.customerTimeline)
	add(s, operation{
		id: "create-customer", method: http.MethodPost, path: "/v1/customers", tag: tag, status: http.StatusCreated,
		summary: "Make a customer known", codes: customerCodes,
	}, s.createCustomer)
}

// ListCustomers is what the list can be asked for.
type ListCustomers struct {
	Reading
	Paging
	Name       string `query:"name" maxLength:"200" doc:"Beginning of the name, in any case."`
	Email      string `query:"email" maxLength:"254"`
	Phone      string `query:"phone" maxLength:"32"`
	ExternalID string `query:"external_id" maxLength:"200"`
}

func (s *Service) listCustomers(ctx context.Context, in *ListCustomers) (*Answer[List[Customer]], error) {
	org := callerOf(ctx).OrgID
	q := customers.Query{NamePrefix: in.Name, Limit: in.Limit, Cursor: in.Cursor}
	ids, err := identities(CustomerRef{Email: in.Email, Phone: in.Phone, ExternalID: in.ExternalID})
	if err != nil {
		return nil, err
	}
	var fresh *AsOf
	switch len(ids) {
	case 0:
		fresh, err = s.fresh(ctx, in.Reading, customersModel)
	case 1:
		q.Identity = ids[0]
		fresh, err = s.freshIdentity(ctx, org, q.Identity, in.Reading, customersModel)
	default:
		err = wrong("query", "asks for more than one address")
	}
	if err != nil {
		return nil, err
	}
	page, err := s.Reads.Customers.List(ctx, org, q)
	if err != nil {
		return nil, err
	}
	return &Answer[List[Customer]]{List[Customer]{Items: each(page.Items, customerOf), Links: next(ctx, page.Next), AsOf: fresh}}, nil
}

// GetCustomer names a customer.
type GetCustomer struct {
	ByID
	Reading
}

// getCustomer reads from the read model. One that it does not know yet although the log has them is waited for.
func (s *Service) getCustomer(ctx context.Context, in *GetCustomer) (*Answer[CustomerWithAsOf], error) {
	org := callerOf(ctx).OrgID
	fresh, err := s.freshCustomer(ctx, org, in.ID, in.Reading, customersModel)
	if err != nil {
		return nil, err
	}
	c, err := s.Reads.Customers.Get(ctx, org, in.ID)
	if errors.Is(err, customers.ErrNotFound) {
		if fresh, err = s.unseenCustomer(ctx, org, in.ID, customersModel); err == nil {
			c, err = s.Reads.Customers.Get(ctx, org, in.ID)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Answer[CustomerWithAsOf]{CustomerWithAsOf{Customer: customerOf(c), AsOf: fresh}}, nil
}

// CustomerTimeline names a customer and a page.
type CustomerTimeline struct {
	ByID
	Reading
	Paging
	Notes bool `query:"notes" doc:"Show notes too."`
}

func (s *Service) customerTimeline(ctx context.Context, in *CustomerTimeline) (*Answer[List[Entry]], error) {
	org := callerOf(ctx).OrgID
	fresh, err := s.freshCustomer(ctx, org, in.ID, in.Reading, timelineModel, customersModel)
	if err != nil {
		return nil, err
	}
	read := func() (timeline.Page, error) {
		page, err := s.Reads.Timeline.ByCustomer(ctx, org, in.ID, timeline.Query{Limit: in.Limit, Cursor: in.Cursor, IncludeNotes: in.Notes})
		if err == nil && len(page.Items) == 0 {
			_, err = s.Reads.Customers.Get(ctx, org, in.ID) // nothing said, or nobody there?
		}
		return page, err
	}
	page, err := read()
	if errors.Is(err, customers.ErrNotFound) { // or not yet
		if fresh, err = s.unseenCustomer(ctx, org, in.ID, timelineModel, customersModel); err == nil {
			page, err = read()
		}
	}
	if err != nil {
		return nil, err
	}
	return &Answer[List[Entry]]{List[Entry]{Items: each(page.Items, func(e timeline.Entry) Entry { return s.entryOf(ctx, e) }), Links: next(ctx, page.Next), AsOf: fresh}}, nil
}

// CreateCustomer is the input of a new customer.
type CreateCustomer struct {
	Writing
	Body struct {
		Name       string         `json:"name,omitempty" maxLength:"200"`
		Email      string         `json:"email,omitempty" maxLength:"254"`
		Phone      string         `json:"phone,omitempty" maxLength:"32" doc:"With its country: +49…"`
		ExternalID string         `json:"external_id,omitempty" maxLength:"200" doc:"The customer's id in your own system."`
		Attributes map[string]any `json:"attributes,omitempty" doc:"Strings, numbers and booleans by name."`
	}
}

// createCustomer writes the customer with the claims on their addresses at once; identity_taken when somebody else
// has one of them.
func (s *Service) createCustomer(ctx context.Context, in *CreateCustomer) (*Written[Done], error) {
	orgID := callerOf(ctx).OrgID
	org, ok := s.Directory.Org(orgID)
	if !ok {
		return nil, errStarting
	}
	ids, err := identities(CustomerRef{Email: in.Body.Email, Phone: in.Body.Phone, ExternalID: in.Body.ExternalID})
	if err != nil {
		return nil, err
	}
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("customer", orgID, m.ID)
	r, err := s.Loop.Atomic(ctx, m, func(tx *command.Tx) error {
		stage := func(c customer.Command) error { return command.Stage(tx, s.customers, orgID, id, c) }
		if err := stage(customer.Create{Name: in.Body.Name}); err != nil {
			return err
		}
		if len(in.Body.Attributes) > 0 {
			if err := stage(customer.SetAttributes{Attributes: in.Body.Attributes}); err != nil {
				return err
			}
		}
		for _, i := range ids {
			if err := stage(customer.Identify{Type: i.Type, Value: i.Value}); err != nil {
				return err
			}
			take := claim.Command(claim.Take{CustomerID: id, Type: i.Type})
			if err := command.Stage(tx, s.claims, orgID, org.ClaimID(i.Type, i.Value), take); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, e := range r.Events { // the position is the customer's, not that of the last claim: a retry answers the same
		if e.Kind == events.KindCustomer {
			r.Position = s.Log.Position(e.Aggregate, e.Sequence)
		}
	}
	return done(id, r), nil
}

// identities are the addresses that are given, each in its one spelling.
func identities(ref CustomerRef) ([]events.Identity, error) {
	var out []events.Identity
	for _, i := range []events.Identity{
		{Type: events.IdentityEmail, Value: ref.Email},
		{Type: events.IdentityPhone, Value: ref.Phone},
		{Type: events.IdentityExternalID, Value: ref.ExternalID},
	} {
		if i.Value == "" {
			continue
		}
		normal, err := identity.Normalise(i.Type, i.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, normal)
	}
	return out, nil
}

func customerOf(c customers.Customer) Customer {
	return Customer{
		ID: c.ID, Name: c.Name, Identities: c.Identities, Attributes: c.Attributes, MergedInto: some(c.MergedInto),
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

func (s *Service) entryOf(ctx context.Context, e timeline.Entry) Entry {
	return Entry{
		Kind: e.Kind, ConversationID: e.ConversationID, ID: e.ID, Author: Author{Type: e.Author.Type, ID: e.Author.ID},
		Text: e.Text, Detail: e.Detail, At: e.At, Attachments: s.attachmentsOf(ctx, e),
	}
}

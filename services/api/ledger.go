package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/ledger"
)

// Ledger holds what was accepted against what is shown.
type Ledger interface {
	Account(ctx context.Context, q ledger.Question) (ledger.Report, error)
}

// LedgerReport is the account of an org. Deliveries will come as further sides of a row: delivered, failed, held and in
// flight, of the messages that the desk wrote.
type LedgerReport struct {
	Position   string         `json:"position" doc:"Everything up to here was counted."`
	From       *time.Time     `json:"from" doc:"Null: from the beginning."`
	To         *time.Time     `json:"to" doc:"Exclusive. Null: up to position."`
	Rows       []LedgerRow    `json:"rows" nullable:"false" doc:"By channel. In each, accepted = shown + missing + excused for every model."`
	Customers  *LedgerPeople  `json:"customers" doc:"Null when a channel was asked for: customers have none."`
	Surveys    *LedgerSurveys `json:"surveys" doc:"Null when they were not asked for."`
	Holes      []LedgerHole   `json:"holes" nullable:"false" doc:"At most 100 of them."`
	HolesTotal uint64         `json:"holes_total"`
	Behind     []LedgerBehind `json:"behind" nullable:"false" doc:"Models that could not be compared, because they have not read that far or cannot be asked."`
}

// LedgerRow is one channel.
type LedgerRow struct {
	Channel  string         `json:"channel" doc:"Empty for conversations whose beginning cannot be read."`
	Accepted LedgerAccepted `json:"accepted"`
	Excused  LedgerTally    `json:"excused" doc:"Accepted, but the customer was erased since: nobody may show it."`
	Inbox    *LedgerSide    `json:"inbox" doc:"Null when it was not compared."`
	Timeline *LedgerSide    `json:"timeline" doc:"Null when it was not compared."`
	Search   *LedgerSide    `json:"search" doc:"Null when it was not compared."`
}

// LedgerTally is an amount.
type LedgerTally struct {
	Conversations uint64 `json:"conversations" doc:"That were opened in the window."`
	Messages      uint64 `json:"messages" doc:"Of both sides, in the window."`
	Notes         uint64 `json:"notes"`
}

// LedgerAccepted is what the log took.
type LedgerAccepted struct {
	LedgerTally
	Received uint64 `json:"messages_received" doc:"Of the messages: from customers."`
	Written  uint64 `json:"messages_written" doc:"Of the messages: from the desk."`
}

// LedgerSide is what one model shows.
type LedgerSide struct {
	LedgerTally
	Missing LedgerTally `json:"missing"`
}

// LedgerPeople is the account of the customers: accepted = shown + missing + excused, when they were compared.
type LedgerPeople struct {
	Accepted uint64  `json:"accepted" doc:"Who became known in the window."`
	Excused  uint64  `json:"excused" doc:"Of the accepted: erased since."`
	Shown    *uint64 `json:"shown" doc:"Null when they were not compared."`
	Missing  *uint64 `json:"missing" doc:"Null when they were not compared."`
}

// LedgerSurveys is the account of surveys: owed = waiting + answered + expired + excused + in_flight + missing.
type LedgerSurveys struct {
	Owed     uint64 `json:"owed" doc:"Closings in the window whose channel asked for a survey then; those of erased customers are not counted."`
	Waiting  uint64 `json:"waiting" doc:"The visitor was asked and may still answer."`
	Answered uint64 `json:"answered"`
	Expired  uint64 `json:"expired"`
	Excused  uint64 `json:"excused" doc:"The conversation went on."`
	InFlight uint64 `json:"in_flight" doc:"About to be asked; or nobody can tell, because survey is behind."`
	Missing  uint64 `json:"missing" doc:"Neither asked nor excused, and nobody is about to: holes."`
}

// LedgerHole is a conversation or a customer that a model does not show as it was accepted.
type LedgerHole struct {
	Model          string `json:"model"`
	ConversationID string `json:"conversation_id,omitempty" doc:"Absent when it is about a customer."`
	CustomerID     string `json:"customer_id,omitempty" doc:"Absent when it is about a conversation."`
	Problem        string `json:"problem" doc:"For people."`
}

// LedgerBehind is a model that could not be compared.
type LedgerBehind struct {
	Model      string  `json:"model"`
	Problem    string  `json:"problem" doc:"For people."`
	LagEvents  uint64  `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds"`
}

func (s *Service) registerLedger() {
	add(s, operation{
		id: "ledger", method: http.MethodGet, path: "/v1/admin/ledger", tag: "Admin", admin: true,
		summary: "Hold what was accepted against what each read model shows",
		doc: "Reads the whole log up to now, waits a moment for the models to be that far, and names every conversation and customer " +
			"that a model does not show as it was accepted, and every closing of a chat that owed a survey and was neither asked about nor " +
			"excused. A model that lags longer is behind, which is not a hole.",
		codes: []string{"admin_unavailable", "log_unavailable"}, longest: slow,
	}, s.ledger)
}

// LedgerInput is what the account is of.
type LedgerInput struct {
	From    time.Time `query:"from" doc:"What the log stored from then on."`
	To      time.Time `query:"to" doc:"What the log stored before."`
	Channel string    `query:"channel" enum:"chat,email,sms,x,facebook"`
	Models  []string  `query:"models" maxItems:"5" enum:"inbox,timeline,customers,search,survey" doc:"Default: all."`
}

func (s *Service) ledger(ctx context.Context, in *LedgerInput) (*Answer[LedgerReport], error) {
	if s.Ledger == nil {
		return nil, errNoAdmin
	}
	if !in.To.IsZero() && !in.To.After(in.From) {
		return nil, wrong("query.to", "must be after from")
	}
	if in.Channel != "" && slices.Contains(in.Models, customersModel) {
		return nil, wrong("query.models", "customers have no channel")
	}
	r, err := s.Ledger.Account(ctx, ledger.Question{
		Org: callerOf(ctx).OrgID, From: in.From, To: in.To, Channel: events.Channel(in.Channel), Models: in.Models,
	})
	if err != nil {
		return nil, err
	}
	for _, b := range r.Behind {
		s.Logger.WarnContext(ctx, "the ledger could not compare a model", "model", b.Model, "error", b.Err)
	}
	return &Answer[LedgerReport]{LedgerReport{
		Position: r.Position.String(), From: someTime(in.From), To: someTime(in.To),
		Rows: each(r.Rows, ledgerRow), Customers: ledgerPeople(r.Customers), Surveys: (*LedgerSurveys)(r.Surveys), HolesTotal: r.Total,
		Holes: each(r.Holes, func(h ledger.Hole) LedgerHole { return LedgerHole(h) }),
		Behind: each(r.Behind, func(b ledger.Behind) LedgerBehind {
			return LedgerBehind{Model: b.Model, Problem: b.Problem, LagEvents: b.LagEvents, LagSeconds: b.LagSeconds}
		}),
	}}, nil
}

func ledgerRow(r ledger.Row) LedgerRow {
	side := func(model string) *LedgerSide {
		s, ok := r.Sides[model]
		if !ok {
			return nil
		}
		return &LedgerSide{LedgerTally: LedgerTally(s.Shown), Missing: LedgerTally(s.Missing)}
	}
	return LedgerRow{
		Channel:  string(r.Channel),
		Accepted: LedgerAccepted{LedgerTally: LedgerTally(r.Accepted), Received: r.Received, Written: r.Written},
		Excused:  LedgerTally(r.Excused),
		Inbox:    side(inboxModel), Timeline: side(timelineModel), Search: side(searchIndex),
	}
}

func ledgerPeople(p *ledger.People) *LedgerPeople {
	if p == nil {
		return nil
	}
	out := &LedgerPeople{Accepted: p.Accepted, Excused: p.Excused}
	if p.Compared {
		out.Shown, out.Missing = &p.Shown, &p.Missing
	}
	return out
}

// someTime is a pointer to t, or nil when t is zero.
func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

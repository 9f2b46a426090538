package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// ledgerCommand proves that everything accepted is shown. It exits 0 when nothing is missing, 1 when something is, and 3
// when that cannot be told because a model is behind.
type ledgerCommand struct {
	Client  clientFlags `embed:""`
	From    time.Time   `help:"What was accepted from then on, RFC 3339. Default: from the beginning." placeholder:"TIME"`
	To      time.Time   `help:"What was accepted before, RFC 3339. Default: up to now." placeholder:"TIME"`
	Channel string      `help:"Of this channel only." placeholder:"CHANNEL"`
	Models  []string    `help:"Only these: inbox, timeline, customers, search, survey." placeholder:"MODEL"`
}

// ledgerReport is GET /v1/admin/ledger.
type ledgerReport struct {
	Position   string         `json:"position"`
	From       *time.Time     `json:"from"`
	To         *time.Time     `json:"to"`
	Rows       []ledgerRow    `json:"rows"`
	Customers  *ledgerPeople  `json:"customers"`
	Surveys    *ledgerSurveys `json:"surveys"`
	Holes      []ledgerHole   `json:"holes"`
	HolesTotal uint64         `json:"holes_total"`
	Behind     []ledgerBehind `json:"behind"`
}

type ledgerRow struct {
	Channel  string `json:"channel"`
	Accepted struct {
		ledgerTally
		Received uint64 `json:"messages_received"`
		Written  uint64 `json:"messages_written"`
	} `json:"accepted"`
	Excused  ledgerTally `json:"excused"`
	Inbox    *ledgerSide `json:"inbox"`
	Timeline *ledgerSide `json:"timeline"`
	Search   *ledgerSide `json:"search"`
}

type ledgerTally struct {
	Conversations uint64 `json:"conversations"`
	Messages      uint64 `json:"messages"`
	Notes         uint64 `json:"notes"`
}

type ledgerSide struct {
	ledgerTally
	Missing ledgerTally `json:"missing"`
}

type ledgerPeople struct {
	Accepted uint64  `json:"accepted"`
	Excused  uint64  `json:"excused"`
	Shown    *uint64 `json:"shown"`
	Missing  *uint64 `json:"missing"`
}

type ledgerSurveys struct {
	Owed     uint64 `json:"owed"`
	Waiting  uint64 `json:"waiting"`
	Answered uint64 `json:"answered"`
	Expired  uint64 `json:"expired"`
	Excused  uint64 `json:"excused"`
	InFlight uint64 `json:"in_flight"`
	Missing  uint64 `json:"missing"`
}

type ledgerHole struct {
	Model          string `json:"model"`
	ConversationID string `json:"conversation_id,omitempty"`
	CustomerID     string `json:"customer_id,omitempty"`
	Problem        string `json:"problem"`
}

type ledgerBehind struct {
	Model      string  `json:"model"`
	Problem    string  `json:"problem"`
	LagEvents  uint64  `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds"`
}

// Run asks for the account and prints it.
func (c *ledgerCommand) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var report ledgerReport
	if err := server.do(ctx, http.MethodGet, c.path(), nil, &report); err != nil {
		return err
	}
	if p.json {
		err = p.object(report)
	} else {
		err = report.print(p)
	}
	switch {
	case err != nil:
		return err
	case report.HolesTotal > 0:
		return errSaid
	case len(report.Behind) > 0:
		return fault.Newf(fault.Unavailable, "not_yet", "no hole, but not everything could be compared: %s", report.behind()).
			WithHint("ask again in a moment; tidemark lag tells how far each part is")
	}
	return nil
}

func (c *ledgerCommand) path() string {
	q := url.Values{}
	for name, t := range map[string]time.Time{"from": c.From, "to": c.To} {
		if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	if c.Channel != "" {
		q.Set("channel", c.Channel)
	}
	if len(c.Models) > 0 {
		q.Set("models", strings.Join(c.Models, ","))
	}
	if len(q) == 0 {
		return "/v1/admin/ledger"
	}
	return "/v1/admin/ledger?" + q.Encode()
}

func (r ledgerReport) behind() string {
	var names []string
	for _, b := range r.Behind {
		names = append(names, b.Model)
	}
	return strings.Join(names, ", ")
}

// print is the table: for each channel what was accepted, and for each model how much of it is there. Customers have no
// channel, and a column of their own.
func (r ledgerReport) print(p *printer) error {
	var rows [][]string
	for _, row := range r.Rows {
		channel := row.Channel
		if channel == "" {
			channel = "(unreadable)"
		}
		for _, line := range []struct {
			what string
			of   func(ledgerTally) uint64
		}{
			{"conversations", func(t ledgerTally) uint64 { return t.Conversations }},
			{"messages", func(t ledgerTally) uint64 { return t.Messages }},
			{"notes", func(t ledgerTally) uint64 { return t.Notes }},
		} {
			cells := []string{channel, line.what, amount(line.of(row.Accepted.ledgerTally)), amount(line.of(row.Excused))}
			for _, side := range []*ledgerSide{row.Inbox, row.Timeline, row.Search} {
				cells = append(cells, side.cell(line.of))
			}
			rows = append(rows, append(cells, "-"))
		}
	}
	if c := r.Customers; c != nil {
		rows = append(rows, []string{"(any)", "customers", amount(c.Accepted), amount(c.Excused), "-", "-", "-", c.cell()})
	}
	if err := p.table([]string{"CHANNEL", "", "ACCEPTED", "ERASED", "INBOX", "TIMELINE", "SEARCH", "CUSTOMERS"}, rows); err != nil {
		return err
	}
	if s := r.Surveys; s != nil && s.Owed > 0 {
		p.say("SURVEYS %d owed: %d waiting, %d answered, %d expired, %d excused, %d in flight, %d missing",
			s.Owed, s.Waiting, s.Answered, s.Expired, s.Excused, s.InFlight, s.Missing)
	}
	for _, h := range r.Holes {
		what := "conversation " + h.ConversationID
		if h.ConversationID == "" {
			what = "customer " + h.CustomerID
		}
		p.say("HOLE    %s: %s %s", h.Model, what, h.Problem)
	}
	if more := r.HolesTotal - uint64(len(r.Holes)); more > 0 {
		p.say("HOLE    %d more", more)
	}
	for _, b := range r.Behind {
		p.say("BEHIND  %s: %s (%d events, %.1f s)", b.Model, b.Problem, b.LagEvents, b.LagSeconds)
	}
	if r.HolesTotal == 0 && len(r.Behind) == 0 {
		p.say("No hole: everything that was accepted is shown.")
	}
	return nil
}

// cell is what a model shows, and what it lacks.
func (s *ledgerSide) cell(of func(ledgerTally) uint64) string {
	if s == nil {
		return "-"
	}
	return cell(of(s.ledgerTally), of(s.Missing))
}

// cell is how many customers are shown, and how many are not.
func (c *ledgerPeople) cell() string {
	if c.Shown == nil || c.Missing == nil {
		return "-"
	}
	return cell(*c.Shown, *c.Missing)
}

func cell(shown, missing uint64) string {
	if missing > 0 {
		return fmt.Sprintf("%d (%d missing)", shown, missing)
	}
	return amount(shown)
}

func amount(n uint64) string { return strconv.FormatUint(n, 10) }

package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// lagCommand tells how far everything is behind. It exits 3 when that cannot be told of everything.
type lagCommand struct {
	Client clientFlags   `embed:""`
	Watch  bool          `help:"Go on telling until interrupted."`
	Every  time.Duration `help:"With --watch: how often." default:"2s"`
}

// lagRow is one projection of GET /v1/admin/lag: how far it is, or why that is not known.
type lagRow struct {
	Name string `json:"name"`
	*Freshness
	FinishSeconds *float64 `json:"finish_seconds,omitempty"`
	Reason        string   `json:"reason,omitempty"`
}

// Freshness is how far something has read.
type Freshness struct {
	Position   string    `json:"position"`
	Time       time.Time `json:"time"`
	LagSeconds float64   `json:"lag_seconds"`
	LagEvents  uint64    `json:"lag_events"`
}

// Run prints one line for each projection.
func (c *lagCommand) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	tick := time.NewTicker(max(c.Every, 100*time.Millisecond))
	defer tick.Stop()
	before := map[string]lagRow{}
	for {
		if err := c.print(ctx, p, server, before); err != nil {
			if c.Watch && ctx.Err() != nil {
				return nil // told to stop in the middle of a look
			}
			return err
		}
		if !c.Watch {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *lagCommand) print(ctx context.Context, p *printer, server *client, before map[string]lagRow) error {
	var list struct {
		Items []lagRow `json:"items"`
	}
	if err := server.do(ctx, http.MethodGet, "/v1/admin/lag", nil, &list); err != nil {
		return err
	}
	var rows [][]string
	var unknown []string
	for _, row := range list.Items {
		cells, known := row.cells(before[row.Name], c.Every)
		if !known {
			unknown = append(unknown, row.Name)
		}
		if p.json {
			if err := p.object(row); err != nil {
				return err
			}
		}
		rows = append(rows, cells)
		before[row.Name] = row
	}
	if !p.json {
		if err := p.table([]string{"PROJECTION", "LAG EVENTS", "LAG", "AS OF", "STATE"}, rows); err != nil {
			return err
		}
	}
	if len(unknown) > 0 && !c.Watch { // who watches waits until it is known
		return fault.Newf(fault.Unavailable, "lag_unknown", "it is not known how far these are: %s", strings.Join(unknown, ", ")).
			WithHint("is there a process that runs them? /readyz of that process says what it lacks")
	}
	return nil
}

// cells are a line of the table; known is false when nobody can tell how far the projection is.
func (r lagRow) cells(before lagRow, every time.Duration) (cells []string, known bool) {
	if r.Freshness == nil {
		return []string{r.Name, "?", "?", "?", "unknown: " + r.Reason}, false
	}
	state := "current"
	if r.LagEvents > 0 {
		state = finish(before, r, every)
	}
	if r.Reason != "" {
		state += ": " + r.Reason
	}
	return []string{r.Name, strconv.FormatUint(r.LagEvents, 10), fmt.Sprintf("%.1f s", r.LagSeconds), r.Time.Format(time.RFC3339), state}, true
}

// finish says when a projection will have caught up, from two looks at it.
func finish(before, now lagRow, every time.Duration) string {
	if before.Freshness == nil || before.LagEvents <= now.LagEvents {
		if now.FinishSeconds != nil { // it is known from longer than two looks
			return fmt.Sprintf("catching up, done in %s", time.Duration(*now.FinishSeconds*float64(time.Second)).Round(time.Second))
		}
		return "behind"
	}
	rate := float64(before.LagEvents-now.LagEvents) / every.Seconds()
	left := time.Duration(float64(now.LagEvents) / rate * float64(time.Second))
	return fmt.Sprintf("catching up at %.0f/s, done in %s", rate, left.Round(time.Second))
}

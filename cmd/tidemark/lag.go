package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// lagCommand tells how far everything is behind.
type lagCommand struct {
	Client clientFlags   `embed:""`
	Watch  bool          `help:"Go on telling until interrupted."`
	Every  time.Duration `help:"With --watch: how often." default:"2s"`
}

// lagRow is one projection of GET /v1/admin/lag.
type lagRow struct {
	Name       string    `json:"name"`
	Position   string    `json:"position"`
	Time       time.Time `json:"time"`
	LagSeconds float64   `json:"lag_seconds"`
	LagEvents  uint64    `json:"lag_events"`
	Error      string    `json:"error,omitempty"`
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
	if p.json {
		for _, row := range list.Items {
			if err := p.object(row); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]string
	for _, row := range list.Items {
		state := "current"
		if row.LagEvents > 0 {
			state = finish(before[row.Name], row, c.Every)
		}
		if row.Error != "" {
			state = row.Error
		}
		rows = append(rows, []string{row.Name, strconv.FormatUint(row.LagEvents, 10), fmt.Sprintf("%.1f s", row.LagSeconds), row.Time.Format(time.RFC3339), state})
		before[row.Name] = row
	}
	return p.table([]string{"PROJECTION", "LAG EVENTS", "LAG", "AS OF", "STATE"}, rows)
}

// finish says when a projection will have caught up, from two looks at it.
func finish(before, now lagRow, every time.Duration) string {
	if before.Name == "" || before.LagEvents <= now.LagEvents {
		return "behind"
	}
	rate := float64(before.LagEvents-now.LagEvents) / every.Seconds()
	left := time.Duration(float64(now.LagEvents) / rate * float64(time.Second))
	return fmt.Sprintf("catching up at %.0f/s, done in %s", rate, left.Round(time.Second))
}

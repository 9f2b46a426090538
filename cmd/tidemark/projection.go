package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// projectionCommand looks after projections.
type projectionCommand struct {
	List    projectionList    `cmd:"" default:"withargs" help:"List projections and their rebuilds."`
	Rebuild projectionRebuild `cmd:"" help:"Build a projection anew beside the running one, and wait until it is as fresh."`
	Compare projectionCompare `cmd:"" help:"Compare the rebuilt projection with the running one; exit 1 when they differ."`
	Switch  projectionStep    `cmd:"" help:"Put the rebuilt projection in the place of the running one."`
	Drop    projectionStep    `cmd:"" help:"Drop the projection that was replaced."`
	Cancel  projectionStep    `cmd:"" help:"Give a rebuild up."`
}

// projectionState is one item of GET /v1/admin/projections.
type projectionState struct {
	Name    string        `json:"name"`
	AsOf    *Freshness    `json:"as_of"`
	Reason  string        `json:"reason,omitempty"` // why there is no as_of
	Rebuild *rebuildState `json:"rebuild"`
}

type rebuildState struct {
	State      string    `json:"state"`
	Asked      string    `json:"asked,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	Equal      *bool     `json:"equal"`
	Done       uint64    `json:"done"`
	Total      uint64    `json:"total"`
	Rate       float64   `json:"rate"`
	ETASeconds float64   `json:"eta_seconds"`
	StartedAt  time.Time `json:"started_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

type projectionList struct {
	Client clientFlags `embed:""`
}

// Run lists.
func (c *projectionList) Run(ctx context.Context, p *printer) error {
	return list(ctx, p, c.Client, "/v1/admin/projections", []string{"PROJECTION", "LAG", "REBUILD"}, func(s projectionState) []string {
		lag, rebuild := "unknown: "+s.Reason, "-"
		if s.AsOf != nil {
			lag = fmt.Sprintf("%d events, %.1f s", s.AsOf.LagEvents, s.AsOf.LagSeconds)
		}
		if r := s.Rebuild; r != nil {
			rebuild = r.State
			if r.Detail != "" {
				rebuild += ": " + r.Detail
			}
		}
		return []string{s.Name, lag, rebuild}
	})
}

type projectionRef struct {
	Client clientFlags `embed:""`
	Name   string      `arg:"" help:"Of the projection: inbox, timeline, customers, routing, workflow."`
}

// ask asks for a step and returns what can then be asked for the state.
func (r projectionRef) ask(ctx context.Context, step string) (*client, error) {
	server, err := r.Client.connect()
	if err != nil {
		return nil, err
	}
	return server, server.do(ctx, http.MethodPost, "/v1/admin/projections/"+url.PathEscape(r.Name)+"/"+step, nil, nil)
}

// await looks at a rebuild until done says that it is where it should be.
func (r projectionRef) await(ctx context.Context, server *client, done func(rebuildState) bool) (rebuildState, error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		var found *rebuildState
		err := each(ctx, server, "/v1/admin/projections", func(s projectionState) error {
			if s.Name == r.Name {
				found = s.Rebuild
			}
			return nil
		})
		switch {
		case err != nil:
			return rebuildState{}, err
		case found == nil:
			return rebuildState{}, fault.Newf(fault.NotFound, "no_rebuild", "%s has no rebuild", r.Name)
		case found.Asked == "" && (found.State == "failed" || found.State == "cancelled"):
			return *found, fault.Newf(fault.Internal, "rebuild_"+found.State, "the rebuild of %s has %s: %s", r.Name, found.State, found.Detail)
		case done(*found):
			return *found, nil
		}
		select {
		case <-ctx.Done():
			return *found, ctx.Err()
		case <-tick.C:
		}
	}
}

// notDone is the answer to a step that was asked for and could not be taken.
func (r projectionRef) notDone(what string, now rebuildState) error {
	return fault.Newf(fault.Conflict, "rebuild_state", "%s was not %s: it is %s: %s", r.Name, what, now.State, now.Detail).
		WithHint("mend what it says, and ask again")
}

// unbegun is after how long it is worth saying that nobody has begun.
const unbegun = 10 * time.Second

type projectionRebuild struct {
	projectionRef
	NoWait bool `help:"Do not wait; 'tidemark projection list' tells how far it is."`
}

// Run asks for a rebuild, or goes on watching one that is under way.
func (c *projectionRebuild) Run(ctx context.Context, p *printer, s streams) error {
	server, err := c.ask(ctx, "rebuild")
	if err != nil && (server == nil || fault.CodeOf(err) != "rebuild_running") {
		return err
	}
	if c.NoWait {
		p.say("The rebuild of %s goes on in the server.", c.Name)
		if !p.json {
			return nil
		}
		r, err := c.await(ctx, server, func(rebuildState) bool { return true })
		if err != nil {
			return err
		}
		return p.object(r)
	}
	var bar *progressbar.ProgressBar
	idle := time.AfterFunc(unbegun, func() {
		_, _ = fmt.Fprintf(s.err, "Nobody has begun the rebuild yet: is a process there that runs the target of %s? 'tidemark projection cancel %s' gives it up.\n", c.Name, c.Name)
	})
	defer idle.Stop()
	r, err := c.await(ctx, server, func(r rebuildState) bool {
		if r.State != "requested" {
			idle.Stop()
		}
		if bar == nil && r.Total > 0 {
			bar = progress(s.err, int64(r.Total), "rebuild "+c.Name, progressbar.OptionShowCount(), progressbar.OptionShowIts()) //nolint:gosec // sequences fit
		}
		if bar != nil {
			bar.ChangeMax64(int64(r.Total)) //nolint:gosec // sequences fit
			_ = bar.Set64(int64(r.Done))    //nolint:gosec // sequences fit
		}
		return r.State == "ready" || r.State == "compared"
	})
	if bar != nil {
		_ = bar.Finish()
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.object(r)
	}
	p.say("The new %s is as fresh as the running one. Next: tidemark projection compare %s", c.Name, c.Name)
	return nil
}

type projectionCompare struct{ projectionRef }

// Run compares and says what differs.
func (c *projectionCompare) Run(ctx context.Context, p *printer) error {
	server, err := c.ask(ctx, "compare")
	if err != nil {
		return err
	}
	r, err := c.await(ctx, server, func(r rebuildState) bool { return r.Asked == "" })
	if err == nil && r.State != "compared" {
		err = c.notDone("compared", r)
	}
	if err != nil {
		return err
	}
	equal := r.Equal != nil && *r.Equal
	switch {
	case p.json:
		err = p.object(r)
	case equal:
		p.say("They are equal. Next: tidemark projection switch %s", c.Name)
	default:
		p.say("They differ: %s", r.Detail)
	}
	if err == nil && !equal {
		return errSaid
	}
	return err
}

type projectionStep struct{ projectionRef }

// Run asks for a step, named as on the command line, and waits until it is taken.
func (c *projectionStep) Run(ctx context.Context, p *printer, words commandPath) error {
	step := words.last()
	server, err := c.ask(ctx, step)
	if err != nil {
		return err
	}
	after := map[string]string{"switch": "switched", "drop": "dropped", "cancel": "cancelled"}[step]
	r, err := c.await(ctx, server, func(r rebuildState) bool { return r.Asked == "" })
	if err == nil && r.State != after {
		err = c.notDone(after, r)
	}
	if err != nil && (step != "cancel" || r.State != after) {
		return err
	}
	if p.json {
		return p.object(r)
	}
	p.say("%s: %s", c.Name, after)
	if step == "switch" {
		p.say("The old one is kept until: tidemark projection drop %s", c.Name)
	}
	return nil
}

package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// parkedCommand looks after keys whose events could not be applied.
type parkedCommand struct {
	List  parkedList `cmd:"" default:"withargs" help:"List parked keys."`
	Show  parkedShow `cmd:"" help:"Show one parked key."`
	Retry parkedAsk  `cmd:"" help:"Apply the failed event again, and all that waits behind it."`
	Drop  parkedAsk  `cmd:"" help:"Skip the failed event, and go on with what waits behind it."`
}

// parkedKey is one item of GET /v1/admin/parked.
type parkedKey struct {
	Projection string    `json:"projection"`
	Key        string    `json:"key"`
	Position   string    `json:"position"`
	Sequence   uint64    `json:"sequence"`
	Type       string    `json:"type"`
	Error      string    `json:"error"`
	Attempts   int       `json:"attempts"`
	Since      time.Time `json:"since"`
	Asked      string    `json:"asked,omitempty"`
}

type parkedList struct {
	Client     clientFlags `embed:""`
	Projection string      `help:"Of this projection only."`
}

// Run lists. It exits 3 when a projection could not be asked: its keys are not in the list.
func (c *parkedList) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	path := "/v1/admin/parked"
	if c.Projection != "" {
		path += "?projection=" + url.QueryEscape(c.Projection)
	}
	var found []parkedKey
	var unknown []unreachable
	err = eachPage(ctx, server, path, func(p page[parkedKey]) error {
		found, unknown = append(found, p.Items...), append(unknown, p.Unreachable...)
		return nil
	})
	if err != nil {
		return err
	}
	if p.json {
		err = printObjects(p, found, unknown)
	} else {
		err = printParked(p, found, unknown)
	}
	if err == nil && len(unknown) > 0 {
		names := make([]string, len(unknown))
		for i, u := range unknown {
			names[i] = u.Projection
		}
		err = fault.Newf(fault.Unavailable, "parked_unknown", "these could not be asked for their parked keys: %s", strings.Join(names, ", ")).
			WithHint("is there a process that runs them? ask again when there is")
	}
	return err
}

func printObjects(p *printer, found []parkedKey, unknown []unreachable) error {
	for _, k := range found {
		if err := p.object(k); err != nil {
			return err
		}
	}
	for _, u := range unknown {
		if err := p.object(u); err != nil {
			return err
		}
	}
	return nil
}

func printParked(p *printer, found []parkedKey, unknown []unreachable) error {
	switch {
	case len(found) > 0:
		rows := make([][]string, len(found))
		for i, k := range found {
			rows[i] = []string{k.Projection, k.Key, strconv.FormatUint(k.Sequence, 10), k.Type, strconv.Itoa(k.Attempts), k.Since.Format(time.RFC3339), k.Asked, k.Error}
		}
		if err := p.table([]string{"PROJECTION", "KEY", "SEQUENCE", "EVENT", "TRIES", "SINCE", "ASKED", "ERROR"}, rows); err != nil {
			return err
		}
	case len(unknown) == 0:
		p.say("Nothing is parked.")
	}
	for _, u := range unknown {
		p.say("unknown: %s: %s", u.Projection, u.Reason)
	}
	return nil
}

type parkedRef struct {
	Client     clientFlags `embed:""`
	Projection string      `arg:"" help:"As in the list."`
	Key        string      `arg:"" help:"As in the list."`
}

func (r parkedRef) path() string {
	return "/v1/admin/parked/" + url.PathEscape(r.Projection) + "/" + url.PathEscape(r.Key)
}

type parkedShow struct{ parkedRef }

// Run shows one.
func (c *parkedShow) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var k parkedKey
	if err := server.do(ctx, http.MethodGet, c.path(), nil, &k); err != nil {
		return err
	}
	if p.json {
		return p.object(k)
	}
	return p.table([]string{"FIELD", "VALUE"}, [][]string{
		{"projection", k.Projection},
		{"key", k.Key},
		{"event", k.Type},
		{"sequence", strconv.FormatUint(k.Sequence, 10)},
		{"position", k.Position},
		{"error", k.Error},
		{"tries", strconv.Itoa(k.Attempts)},
		{"since", k.Since.Format(time.RFC3339)},
		{"asked", k.Asked},
	})
}

type parkedAsk struct {
	parkedRef
	Sequence uint64 `help:"Of the event that you looked at: nothing is done when the key is parked at another one by now. Default: the one that it is parked at now." placeholder:"N"`
}

// Run asks, and says what to look at next. Its name on the command line is what is asked.
func (c *parkedAsk) Run(ctx context.Context, p *printer, words commandPath) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var k parkedKey
	if c.Sequence == 0 {
		if err := server.do(ctx, http.MethodGet, c.path(), nil, &k); err != nil {
			return err
		}
		c.Sequence = k.Sequence
	}
	asked := map[string]uint64{"sequence": c.Sequence}
	if err := server.do(ctx, http.MethodPost, c.path()+"/"+words.last(), asked, &k); err != nil {
		return err
	}
	if p.json {
		return p.object(k)
	}
	p.say("Asked to %s the %s at %d. 'tidemark parked list' shows what came of it: the key is gone, or is parked again.", words.last(), k.Type, k.Sequence)
	return nil
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// searchIndexes looks after the indexes of search.
type searchIndexes struct {
	Status   searchStatus  `cmd:"" help:"The search indexes, and the rebuild that is under way."`
	Rebuild  searchRebuild `cmd:"" help:"Build a search index anew beside the one that serves, and wait until it is verified."`
	Verify   searchVerify  `cmd:"" help:"Compare the new index with the one that serves and with the log; exit 1 when they differ."`
	Switch   searchStep    `cmd:"" help:"Have the new index serve; the old one is kept for rollback."`
	Rollback searchStep    `cmd:"" help:"Have the index serve again that served before."`
	Drop     searchStep    `cmd:"" help:"Remove the index that served before."`
	Cancel   searchStep    `cmd:"" help:"Give a rebuild up, and remove what was built."`
	Pause    searchStep    `cmd:"" help:"Have a rebuild rest."`
	Resume   searchStep    `cmd:"" help:"Have a rebuild go on that rests, or has failed."`
	Throttle searchLimit   `cmd:"" help:"Say how many documents a second a rebuild may write."`
}

const rebuildsPath = "/v1/admin/rebuilds"

type searchStatus struct {
	Client clientFlags `embed:""`
}

// Run prints the indexes, and the rebuild.
func (c *searchStatus) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var s search.RebuildStatus
	if err := server.do(ctx, http.MethodGet, rebuildsPath, nil, &s); err != nil {
		return err
	}
	return showIndexes(p, s)
}

func showIndexes(p *printer, s search.RebuildStatus) error {
	if p.json {
		return p.object(s)
	}
	rows := make([][]string, 0, len(s.Indexes))
	for _, i := range s.Indexes {
		made := "-"
		if !i.Created.IsZero() {
			made = i.Created.Format(time.RFC3339)
		}
		rows = append(rows, []string{i.Name, cmp.Or(string(i.Role), "none"), strconv.FormatUint(i.Documents, 10), humanize.IBytes(i.Bytes), made})
	}
	if err := p.table([]string{"INDEX", "ROLE", "CONVERSATIONS", "SIZE", "MADE"}, rows); err != nil {
		return err
	}
	if s.Due {
		p.say("\nA rebuild is due: this version cuts or lays out documents otherwise than the index that serves was made. It goes on serving.")
	}
	if s.Rebuild != nil {
		p.say("\n%s", describeRebuild(*s.Rebuild))
	}
	return nil
}

// describeRebuild is how far a rebuild is, and what can be done next.
func describeRebuild(r search.RebuildProgress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Rebuild of %s: %s", r.Index, r.State)
	if r.Detail != "" {
		fmt.Fprintf(&b, ": %s", r.Detail)
	}
	fmt.Fprintf(&b, "\n%d of %d events gone through, %d documents written, %s", r.Done, r.Total, r.Documents, humanize.IBytes(r.Bytes))
	if r.State == search.RebuildBuilding {
		fmt.Fprintf(&b, ", %.0f documents a second", r.Rate)
		if r.ETA > 0 { // it is known once a stretch of the log is behind
			fmt.Fprintf(&b, ", done in %s", time.Duration(r.ETA*float64(time.Second)).Round(time.Second))
		}
	}
	if r.Limit > 0 {
		fmt.Fprintf(&b, "\nAt most %.0f documents a second, as an operator wants it.", r.Limit)
	}
	if r.Slowed != "" {
		fmt.Fprintf(&b, "\nIt has slowed itself: %s.", r.Slowed)
	}
	if v := r.Verified; v != nil {
		fmt.Fprintf(&b, "\nVerified %s: %d conversations and %d customers compared, %d folded from the log again, %d queries asked of both; %d differences.",
			v.At.Format(time.RFC3339), v.Documents, v.Customers, v.Sampled, v.Queries, v.Found)
		for _, d := range v.Differences {
			fmt.Fprintf(&b, "\n  %s", d)
		}
	}
	next := map[search.RebuildState]string{
		search.RebuildPaused: "tidemark search resume", search.RebuildFailed: "tidemark search resume, once it is mended",
		search.RebuildVerified: "tidemark search switch", search.RebuildDiffers: "tidemark search verify, or cancel and rebuild",
	}[r.State]
	if next != "" {
		fmt.Fprintf(&b, "\nNext: %s", next)
	}
	return b.String()
}

type searchRebuild struct {
	Client clientFlags `embed:""`
	Rate   float64     `help:"Documents a second at most; 0 for as many as live work leaves room for."`
	Switch bool        `help:"Have the new index serve once it is built and verified."`
	NoWait bool        `help:"Do not wait; 'tidemark search status' tells how far it is."`
}

// Run begins a rebuild, or goes on watching one that is under way.
func (c *searchRebuild) Run(ctx context.Context, p *printer, out streams) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var s search.RebuildStatus
	err = server.do(ctx, http.MethodPost, rebuildsPath, map[string]any{"rate": c.Rate, "switch": c.Switch}, &s)
	if err != nil && fault.CodeOf(err) != "rebuild_running" {
		return err
	}
	if c.NoWait {
		p.say("The rebuild goes on in the server.")
		if p.json {
			return p.object(s)
		}
		return nil
	}
	return watchRebuild(ctx, p, out, server)
}

// watchRebuild looks at a rebuild until it is verified, or serves, or cannot go on.
func watchRebuild(ctx context.Context, p *printer, out streams, server *client) error {
	var bar *progressbar.ProgressBar
	defer func() {
		if bar != nil {
			_ = bar.Finish()
		}
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	said, slowed := "", false // is told once
	for {
		var s search.RebuildStatus
		err := server.do(ctx, http.MethodGet, rebuildsPath, nil, &s)
		switch r := s.Rebuild; {
		case ctx.Err() != nil:
			return ctx.Err()
		case fault.KindOf(err) == fault.Unavailable: // it goes on once the server, or the engine, is there again
			if said != err.Error() {
				said = err.Error()
				_, _ = fmt.Fprintf(out.err, "%s; waiting\n", said)
			}
		case err != nil:
			return err
		case r == nil:
			if err := showIndexes(p, s); err != nil {
				return err
			}
			p.say("\nThe new index serves. The old one is kept for 'tidemark search rollback' until 'tidemark search drop'.")
			return nil
		case r.State == search.RebuildBuilding || r.State == search.RebuildVerifying || r.State == search.RebuildVerified && r.Switch:
			if bar == nil && r.Total > 0 {
				bar = progress(out.err, int64(r.Total), "rebuild", progressbar.OptionShowCount(), progressbar.OptionShowIts()) //nolint:gosec // sequences fit
			}
			if bar != nil {
				bar.Describe(fmt.Sprintf("%s %d documents, %s", r.State, r.Documents, humanize.IBytes(r.Bytes)))
				_ = bar.Set64(int64(r.Done)) //nolint:gosec // sequences fit
			}
			if slow := r.Slowed != ""; slow && !slowed {
				_, _ = fmt.Fprintf(out.err, "It has slowed itself: %s.\n", r.Slowed)
			}
			slowed = slowed || r.Slowed != ""
		default:
			return settled(p, s)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// settled prints a rebuild that waits for an operator. One that cannot serve is an error.
func settled(p *printer, s search.RebuildStatus) error {
	err := showIndexes(p, s)
	if err == nil && s.Rebuild.State != search.RebuildVerified {
		return errSaid
	}
	return err
}

type searchVerify struct {
	Client clientFlags `embed:""`
	Sample int         `help:"Conversations that are folded from the log again." default:"200"`
}

// Run verifies, and waits for what comes of it.
func (c *searchVerify) Run(ctx context.Context, p *printer, out streams) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	if err := server.do(ctx, http.MethodPost, rebuildsPath+"/verify", map[string]any{"sample": c.Sample}, nil); err != nil {
		return err
	}
	return watchRebuild(ctx, p, out, server)
}

type searchStep struct {
	Client clientFlags `embed:""`
}

// Run takes a step, named as on the command line.
func (c *searchStep) Run(ctx context.Context, p *printer, words commandPath) error {
	return takeStep(ctx, p, c.Client, words.last(), map[string]any{})
}

type searchLimit struct {
	Client clientFlags `embed:""`
	Rate   float64     `arg:"" help:"Documents a second; 0 for no limit."`
}

// Run throttles.
func (c *searchLimit) Run(ctx context.Context, p *printer) error {
	return takeStep(ctx, p, c.Client, search.AskThrottle, map[string]any{"rate": c.Rate})
}

func takeStep(ctx context.Context, p *printer, flags clientFlags, name string, body map[string]any) error {
	server, err := flags.connect()
	if err != nil {
		return err
	}
	var s search.RebuildStatus
	if err := server.do(ctx, http.MethodPost, rebuildsPath+"/"+name, body, &s); err != nil {
		return err
	}
	return showIndexes(p, s)
}

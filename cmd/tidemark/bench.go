package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/bench"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// benchCommand measures. A goal that is missed is part of the answer, not an error.
type benchCommand struct {
	Names   []string `arg:"" optional:"" name:"name" help:"What to measure: accept, accept-one, import, catchup, drain, inbox, conversation, flatness, startup, chat, search; all of it unless said."`
	Seconds float64  `help:"How long each load lasts." default:"10"`
	Size    int      `help:"How much a benchmark prepares (messages, conversations or events, as it needs); 0 for what its goal names." default:"0"`
	DataSet string   `help:"Directory with real conversations; some are made up when it is not there." default:"../shared/data" env:"TIDEMARK_DATA" placeholder:"DIR"`
	Search  []string `help:"Search engine to measure too, as for serve; in indexes of its own, which are removed. Can be repeated." sep:"none" placeholder:"URL"`
	Engines []string `help:"Search engines to start and measure too: elasticsearch, opensearch. They need Java, Maven and a work tree." placeholder:"E,…"`
}

// Run measures one benchmark after the other.
func (c *benchCommand) Run(ctx context.Context, p *printer, s streams) error {
	if c.Seconds <= 0 || c.Size < 0 {
		return fault.New(fault.Invalid, "flag_invalid", "--seconds must be more than 0, and --size not less")
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start servers from: %w", err)
	}
	names := c.Names
	if len(names) == 0 {
		names = bench.Names()
	}
	o := bench.Options{
		Binary: binary, Span: time.Duration(c.Seconds * float64(time.Second)), Size: c.Size, Data: c.DataSet,
		Search: c.Search, Start: c.Engines,
		Logger: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	var rows [][]string
	var failed error
	for _, name := range names {
		o.Say = func(format string, args ...any) { _, _ = fmt.Fprintf(s.err, name+": "+format+"\n", args...) }
		err := bench.Run(ctx, name, o, func(r bench.Result) {
			if p.json {
				failed = errors.Join(failed, p.object(r))
				return
			}
			rows = append(rows, benchRow(r))
		})
		if err != nil { // the others are still worth knowing
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(rows) > 0 {
		failed = errors.Join(p.table([]string{"BENCH", "WHAT", "VALUE", "RAW", "RATIO", "P50", "P99", "GOAL", "MET"}, rows), failed)
	}
	return failed
}

func benchRow(r bench.Result) []string {
	met := "missed"
	if r.Goal == bench.NoGoal {
		met = "–"
	}
	if r.Met {
		met = "met"
	}
	return []string{
		r.Bench, r.What, figure(r.Value) + " " + r.Unit, figureOr(r.Raw, ""), figureOr(r.Ratio, " ×"),
		figureOr(r.P50, " ms"), figureOr(r.P99, " ms"), r.Goal, met,
	}
}

// figure has as many digits as mean something.
func figure(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 2, 64), ".00")
}

// figureOr leaves out what was not measured.
func figureOr(v float64, unit string) string {
	if v == 0 {
		return "–"
	}
	return figure(v) + unit
}

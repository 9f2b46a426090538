// Package bench measures Tidemark beside the raw limit of the machine, in the same run.
//
// Every line carries the raw figure, the ratio and the goal, and says as found whether the goal was met. The server
// under test is a process of its own, started from this very binary in a temporary directory; the load comes from
// this process, over HTTP, as a client's would. Nothing here asserts a time: a slow machine makes both figures slow.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// NoGoal stands where a line is only for comparison: accepting beside everything else that a desk does.
const NoGoal = "no goal: what the rest of the desk costs beside it"

// Result is one measured line.
type Result struct {
	Bench, What string
	Value       float64
	Unit        string
	Raw, Ratio  float64 // 0: there is nothing to hold it against
	P50, P99    float64 // in milliseconds; 0: not measured
	Goal        string
	Met         bool // means nothing with NoGoal
}

// MarshalJSON writes ten fields, always the same. What was not measured is null, and met is where there is no goal.
func (r Result) MarshalJSON() ([]byte, error) {
	measured := func(v float64) *float64 {
		if v == 0 {
			return nil
		}
		return &v
	}
	met := &r.Met
	if r.Goal == NoGoal {
		met = nil
	}
	return json.Marshal(struct {
		Bench string   `json:"bench"`
		What  string   `json:"what"`
		Value float64  `json:"value"`
		Unit  string   `json:"unit"`
		Raw   *float64 `json:"raw"`
		Ratio *float64 `json:"ratio"`
		P50   *float64 `json:"p50_ms"`
		P99   *float64 `json:"p99_ms"`
		Goal  string   `json:"goal"`
		Met   *bool    `json:"met"`
	}{r.Bench, r.What, r.Value, r.Unit, measured(r.Raw), measured(r.Ratio), measured(r.P50), measured(r.P99), r.Goal, met})
}

// Options of a run.
type Options struct {
	Binary string        // this program, to start servers from
	Span   time.Duration // how long each measured load lasts
	Size   int           // of what a benchmark prepares; 0: its default
	Data   string        // directory of real conversations; without it some are made up
	Search []string      // URLs of search engines to measure beside the embedded one
	Start  []string      // kinds of search engine to start for that
	Logger *slog.Logger
	Say    func(format string, args ...any) // progress, for people
}

// span is a share of the seconds, 1/n.
func (o Options) span(n int) time.Duration { return o.Span / time.Duration(n) }

// A benchmark prepares what it needs in dir and gives each line as it is measured.
type benchmark func(ctx context.Context, o Options, dir string, give func(Result)) error

var benchmarks = []struct {
	name string
	run  benchmark
}{
	{"accept", acceptMany},
	{"accept-one", acceptOne},
	{"import", imports},
	{"catchup", catchup},
	{"drain", drain},
	{"inbox", inbox},
	{"conversation", conversation},
	{"flatness", flatness},
	{"startup", startup},
	{"chat", chat},
	{"search", searching},
}

// Names lists the benchmarks in the order in which all of them are run.
func Names() []string {
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	return names
}

// Run measures one benchmark.
func Run(ctx context.Context, name string, o Options, give func(Result)) error {
	at := slices.Index(Names(), name)
	if at < 0 {
		return fault.Newf(fault.Invalid, "bench_unknown", "no benchmark is called %q", name).
			WithHint("one of %v", Names())
	}
	dir, remove, err := scratch()
	if err != nil {
		return err
	}
	defer remove()
	return benchmarks[at].run(ctx, o, dir, func(r Result) {
		r.Bench = name
		give(round(r))
	})
}

func round(r Result) Result {
	for _, v := range []*float64{&r.Value, &r.Raw, &r.Ratio, &r.P50, &r.P99} {
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			*v = 0
		}
		*v = math.Round(*v*1000) / 1000
	}
	return r
}

// latencies collects how long things took, from 1 µs to a minute.
type latencies struct{ h *hdrhistogram.Histogram }

func newLatencies() latencies {
	return latencies{hdrhistogram.New(1, time.Minute.Microseconds(), 3)}
}

func (l latencies) add(d time.Duration) {
	_ = l.h.RecordValue(min(max(d.Microseconds(), 1), time.Minute.Microseconds()))
}

func (l latencies) merge(o latencies) { l.h.Merge(o.h) }

// ms is a quantile in milliseconds.
func (l latencies) ms(quantile float64) float64 {
	return float64(l.h.ValueAtQuantile(quantile)) / 1000
}

// load is what came of a closed loop of callers.
type load struct {
	count   int64
	failed  int64
	elapsed time.Duration
	latencies
}

func (l load) perSecond() float64 { return float64(l.count) / l.elapsed.Seconds() }

// drive lets callers call one after the other until the time is up. A call that fails is counted and the first
// failure returned: a figure with failures in it is no figure.
func drive(ctx context.Context, callers int, d time.Duration, caller func(ctx context.Context, n int) (call func(ctx context.Context) error, done func(), err error)) (load, error) {
	type part struct {
		load
		err error
	}
	parts := make(chan part, callers)
	begin, stop := make(chan struct{}), time.Now()
	ready := make(chan error, callers)
	for n := range callers {
		go func() {
			p := part{load: load{latencies: newLatencies()}}
			call, done, err := caller(ctx, n)
			ready <- err
			if err != nil {
				p.err = err
				parts <- p
				return
			}
			defer done()
			<-begin
			for now := time.Now(); now.Before(stop) && ctx.Err() == nil; {
				if err := call(ctx); err != nil {
					p.failed++
					if p.err == nil {
						p.err = fmt.Errorf("call of caller %d: %w", n, err)
					}
					if p.failed > 100 {
						break
					}
				} else {
					p.count++
				}
				end := time.Now()
				p.add(end.Sub(now))
				now = end
			}
			parts <- p
		}()
	}
	for range callers {
		<-ready //nolint:errcheck // who is not ready says so in what comes of them
	}
	started := time.Now()
	stop = started.Add(d)
	close(begin)
	total := load{latencies: newLatencies()}
	var first error
	for range callers {
		p := <-parts
		total.count += p.count
		total.failed += p.failed
		total.merge(p.latencies)
		if first == nil {
			first = p.err
		}
	}
	total.elapsed = time.Since(started)
	if first == nil {
		first = ctx.Err()
	}
	return total, first
}

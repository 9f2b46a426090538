package projections

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
)

// rig drives one partition step by step, with all that can happen to it in between.
type rig struct {
	t    *rapid.T
	ctx  context.Context //nolint:containedctx // of a test
	log  *memoryLog
	sink *memorySink
	cfg  RunnerConfig
	hold atomic.Uint64
	p    *partition

	poisoned  map[uint64]bool // ever
	elsewhere *turn
	drops     bool // were asked for
}

func newRig(t *rapid.T, ctx context.Context) *rig {
	g := &rig{t: t, ctx: ctx, log: newMemoryLog(2), sink: newMemorySink(), poisoned: map[uint64]bool{}}
	g.log.silent = rapid.Bool().Draw(t, "silent")
	g.log.blockAt = rapid.IntRange(1, 9).Draw(t, "block")
	g.cfg = RunnerConfig{Name: "p", Kinds: []events.Kind{events.KindConversation}, Log: g.log, Sink: g.sink, Logger: slog.New(slog.DiscardHandler)}
	g.cfg.Limits = Limits{
		Batch: rapid.IntRange(16, 40).Draw(t, "batch"), Window: rapid.IntRange(1, 40).Draw(t, "window"),
		LiveAfter: uint64(rapid.IntRange(1, 30).Draw(t, "live_after")), Parked: 1000, Attempts: 2,
	}
	g.cfg.Limits.defaults()
	g.cfg.Pace = NewPace(1)
	g.hold.Store(math.MaxUint64)
	return g
}

func (g *rig) open() {
	if g.p != nil {
		return
	}
	s, err := g.sink.Open(g.ctx, 0)
	if err != nil {
		g.t.Fatalf("open: %v", err)
	}
	g.p = &partition{cfg: &g.cfg, kinds: map[events.Kind]bool{events.KindConversation: true}, session: s, gauge: &gauge{}, hold: &g.hold}
	if err := g.p.resume(g.ctx); err != nil {
		g.t.Fatalf("resume: %v", err)
	}
	g.p.budget = budget(rapid.IntRange(2, 20).Draw(g.t, "budget"))
	g.p.now = budget(rapid.IntRange(2, 20).Draw(g.t, "now"))
}

// other is another projection of the process, which has the only turn, or asks for it.
func (g *rig) other(works bool) {
	switch {
	case works && g.elsewhere == nil:
		g.elsewhere = g.cfg.Pace.ask(Index, 0)
	case !works && g.elsewhere != nil:
		g.cfg.Pace.end(g.elsewhere)
		g.elsewhere = nil
	}
}

func (g *rig) crash() {
	if g.p != nil {
		g.p.endTurn()
		_ = g.p.session.Close(g.ctx)
		g.p = nil
	}
}

// step never blocks: at rest it does nothing.
func (g *rig) step() {
	g.open()
	if err := g.p.answer(g.ctx); err != nil {
		g.crash()
		return
	}
	g.p.arrange()
	if !g.p.behind() && g.p.untilRecord() == beat {
		return
	}
	if err := g.p.step(g.ctx); err != nil {
		g.crash()
	}
}

// behind tells whether there is anything to do.
func (p *partition) behind() bool {
	return p.more(p.low) || p.live != nil && (p.low.finished() || p.more(p.live))
}

// check holds what must be true at every moment: rows are a beginning of the key's events, in order, none twice, and
// only poison is left out; what progress claims is there, or parked.
func (g *rig) check() {
	state, rows, _ := g.sink.view(0)
	for key, want := range fold(g.log, 0, events.KindConversation) {
		got := rows[key]
		n := 0
		parked, isParked := state.Parked[key]
		for _, s := range want {
			there := n < len(got) && got[n] == s
			if there {
				n++
			}
			held := isParked && s >= parked.Sequence
			if n < len(got) && !there && !g.poisoned[s] {
				g.t.Fatalf("%s: %d is missing from %v", key, s, got)
			}
			if state.Progress.Applied(s) && !there && !held && !g.poisoned[s] {
				g.t.Fatalf("%s: progress %+v claims %d, applied %v, parked %+v", key, state.Progress, s, got, parked)
			}
		}
		if n != len(got) {
			g.t.Fatalf("%s: applied %v of %v", key, got, want)
		}
	}
}

// timeless hides the test's deadline, which must not be asked for where time stands still.
type timeless struct{ rapid.TB }

func TestRowsEqualAFoldAfterAnyInterleaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // waits take no time
		rapid.Check(timeless{t}, func(t *rapid.T) {
			g := newRig(t, context.Background())
			orgs := rapid.IntRange(1, 3).Draw(t, "orgs")
			keys := rapid.IntRange(1, 6).Draw(t, "keys")
			write := func(t *rapid.T) {
				for range rapid.IntRange(1, 12).Draw(t, "n") {
					kind := events.KindConversation
					if rapid.IntRange(0, 9).Draw(t, "other") == 0 {
						kind = events.KindCustomer
					}
					a := events.Aggregate{Org: fmt.Sprintf("o%d", rapid.IntRange(1, orgs).Draw(t, "org")), Kind: kind, ID: fmt.Sprintf("k%d", rapid.IntRange(1, keys).Draw(t, "key"))}
					g.log.depth = rapid.IntRange(0, 1).Draw(t, "depth")
					seq := g.log.append(a, tagged)
					if rapid.IntRange(0, 40).Draw(t, "poison") == 0 {
						g.sink.poison[seq], g.poisoned[seq] = true, true
					}
				}
			}
			t.Repeat(map[string]func(*rapid.T){
				"write": write,
				"flood": func(t *rapid.T) {
					a := conversation("o1", fmt.Sprintf("k%d", rapid.IntRange(1, keys).Draw(t, "key")))
					for range rapid.IntRange(10, 60).Draw(t, "n") {
						g.log.append(a, tagged)
					}
				},
				"another works on its backlog": func(*rapid.T) { g.other(true) },
				"another has done":             func(*rapid.T) { g.other(false) },
				"step":                         func(*rapid.T) { g.step() },
				"steps":                        func(*rapid.T) { g.step(); g.step(); g.step(); g.step() },
				"crash":                        func(*rapid.T) { g.crash() },
				"commit fails": func(*rapid.T) {
					g.sink.failNext = []error{fmt.Errorf("%w: gone", ErrTransient)}
					g.step()
					g.sink.failNext = nil
				},
				"answer is lost": func(*rapid.T) { g.sink.lostNext = true; g.step(); g.sink.lostNext = false },
				"crash while isolating": func(*rapid.T) {
					g.sink.failNext = []error{nil, nil, fmt.Errorf("%w: gone", ErrTransient)}
					g.step()
					g.sink.failNext = nil
				},
				"heal and retry": func(t *rapid.T) {
					parked := g.sink.part(0).state.Parked
					for _, key := range slices.Sorted(maps.Keys(parked)) { // the same order each time, so that a failure shrinks
						p := parked[key]
						if rapid.Bool().Draw(t, "heal") {
							delete(g.sink.poison, p.Sequence)
						}
						g.sink.ask(0, key, AskRetry)
					}
					if g.p != nil {
						g.p.asked = time.Time{}
					}
				},
				"drop": func(*rapid.T) {
					g.drops = true
					for key := range g.sink.part(0).state.Parked {
						g.sink.ask(0, key, AskDrop)
					}
					if g.p != nil {
						g.p.asked = time.Time{}
					}
				},
				"": func(*rapid.T) { g.check() },
			})
			// In the end all poison heals, and every row is there.
			g.other(false)
			g.settle()
			g.check()
			state, rows, _ := g.sink.view(0)
			if state.Progress.LiveFrom != 0 || len(state.Ahead) != 0 || len(state.Parked) != 0 {
				t.Fatalf("not closed up at rest: %+v", state)
			}
			for key, want := range fold(g.log, 0, events.KindConversation) {
				if !g.drops && !reflect.DeepEqual(rows[key], want) {
					t.Fatalf("%s: applied %v, the log has %v", key, rows[key], want)
				}
			}
		})
	})
}

// settle heals what is parked, and works until nothing is left.
func (g *rig) settle() {
	for {
		g.open()
		g.p.arrange()
		state, _, _ := g.sink.view(0)
		if len(state.Parked) == 0 && !g.p.behind() && g.p.untilRecord() == beat {
			return
		}
		for key, p := range state.Parked {
			delete(g.sink.poison, p.Sequence)
			g.sink.ask(0, key, AskRetry)
			g.p.asked = time.Time{}
		}
		g.step()
	}
}

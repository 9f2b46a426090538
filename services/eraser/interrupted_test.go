package eraser_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/reactortest"
)

// TestInterrupted kills the process at each of its effects on the log in turn, instead of it and right after it. Another
// process ends what it began: with its database, or with one that has lost everything.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name        string
		after, lost bool
	}{
		{"instead of the effect", false, false},
		{"after the effect", true, false},
		{"after the effect, and the database is lost", true, true},
	} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for n := 0; ; n++ {
				s := prepare(b)
				p := b.mortal(n, mode.after)
				err := p.erase(s.zoe)
				testkit.Until(t, "it is dead or done", func() bool {
					e, err := p.eraser.Find(t.Context(), "acme", s.zoe)
					return p.log.dead.Load() || err == nil && e.Done
				})
				died := p.log.dead.Load()
				p.stop()
				if mode.lost {
					b.database = reactortest.Database(t)
				}
				p = b.process()
				if err != nil { // nobody was told that it was asked for: they ask again
					if err := p.erase(s.zoe); err != nil {
						t.Fatal(err)
					}
				}
				p.done(s.zoe)
				p.idle()
				p.check(s)
				p.stop()
				if t.Failed() {
					t.Fatalf("killed at effect %d", n)
				}
				if !died {
					if n < 8 { // the batch, two conversations with two effects each, claims, two customers
						t.Errorf("an erasure has only %d effects: nothing was tested", n)
					}
					return
				}
			}
		})
	}
}

// prepare makes a scene of its own for each round: what was erased in the one before is gone from the log.
func prepare(b *bench) scene {
	b.Helper()
	p := b.process()
	defer p.stop()
	return p.scene(1)
}

package elastic

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

// gone is where it is told that an index which was open is not there any more: somebody has deleted it. The store is then
// to be opened anew, which makes another index and has it filled from the log.
type gone struct {
	once  sync.Once
	told  chan struct{}
	index string // once it is told
}

func newGone() *gone { return &gone{told: make(chan struct{})} }

func (g *gone) tell(index string) {
	g.once.Do(func() {
		g.index = index
		close(g.told)
	})
}

// Away tells why the engine cannot be asked now; nil when it can, as far as is known. Nothing is asked of it to find out.
func (s *Store) Away() error {
	if err := s.guard.away(); err != nil {
		return away("ask the search engine", err)
	}
	return nil
}

// Run keeps the indexes for this process, and returns when they are somebody else's or one of them is gone, or ctx ends.
func (s *Store) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.lease.keep(ctx) })
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-s.gone.told:
			return fmt.Errorf("the index %s was deleted", s.gone.index)
		}
	})
	return group.Wait()
}

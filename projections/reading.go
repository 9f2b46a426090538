package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// stretch is some of the log to be read for a lane.
type stretch struct {
	from, end uint64
	wanted    int // events of this partition, after which it is enough
	window    int // the same, of which there is room for so many
	bytes     int // and so large
	patience  time.Duration
}

// stretch is what a lane is to read next, so that wanted events wait in it.
func (p *partition) stretch(l *lane, wanted int, patience time.Duration) stretch {
	return stretch{
		from: l.next, end: min(l.end, p.line), wanted: wanted - l.waiting,
		window: p.cfg.Limits.Window - len(l.window), bytes: p.cfg.Limits.Bytes - l.bytes, patience: patience,
	}
}

// read reads at least one block when there is room, and goes on until there are as many events as are wanted or the time
// is over: where a kind is rare, the search for it must not keep everything else waiting.
func (p *partition) read(ctx context.Context, s stretch) (blocks []Block, err error) {
	began := time.Now()
	for found := 0; len(blocks) == 0 || found < s.wanted && time.Since(began) < s.patience; {
		if s.from >= s.end || s.from > p.cfg.Log.Head() || found >= s.window || s.bytes <= 0 {
			break
		}
		b, err := p.cfg.Log.Block(ctx, s.from)
		if err != nil {
			return nil, fmt.Errorf("read the log from %d: %w", s.from, err)
		}
		if b.Next == s.from {
			break
		}
		for i := range b.Events {
			if r := &b.Events[i]; r.Sequence < s.end && p.wants(r) {
				found++
				s.bytes -= r.Size + eventBytes
			}
		}
		blocks, s.from = append(blocks, b), b.Next
	}
	return blocks, nil
}

// full tells whether a lane has no room.
func (p *partition) full(l *lane) bool {
	return len(l.window) >= p.cfg.Limits.Window || l.bytes >= p.cfg.Limits.Bytes
}

// fill reads into a lane.
func (p *partition) fill(ctx context.Context, l *lane, wanted int, patience time.Duration) error {
	blocks, err := p.read(ctx, p.stretch(l, wanted, patience))
	p.put(l, blocks)
	return err
}

// put adds what was read to its lane.
func (p *partition) put(l *lane, blocks []Block) {
	for _, b := range blocks {
		l.add(b, p.line, func(r *events.Recorded) bool {
			if r.Partition == p.id {
				p.seen = max(p.seen, r.Sequence)
			}
			return p.wants(r)
		})
	}
}

// reading is a stretch of the backlog that is read while live work goes on: the server may need longer to find old
// events than what happens now can wait.
type reading struct {
	lane   *lane
	from   uint64
	cancel context.CancelFunc
	done   chan struct{}
	blocks []Block // these two once it is done
	err    error
}

// piece is what the backlog is to read for its turn.
func (p *partition) piece() stretch {
	return p.stretch(p.low, min(p.cfg.Limits.Window, 4*int(p.budget)), p.cfg.Pace.target(p.cfg.Group)/2)
}

// prepared tells whether the piece has been read, and begins to read it when nobody has.
func (p *partition) prepared(ctx context.Context) bool {
	if p.aside == nil {
		ctx, cancel := context.WithCancel(ctx)
		s := p.piece()
		r := &reading{lane: p.low, from: s.from, cancel: cancel, done: make(chan struct{})}
		p.aside = r
		go func() {
			defer close(r.done)
			r.blocks, r.err = p.read(ctx, s)
		}()
	}
	select {
	case <-p.aside.done:
		return true
	default:
		return false
	}
}

// prepare fills the backlog for its turn: with what was read aside, or by reading now.
func (p *partition) prepare(ctx context.Context) error {
	r := p.aside
	if r == nil {
		blocks, err := p.read(ctx, p.piece())
		p.put(p.low, blocks)
		return err
	}
	<-r.done
	p.endReading()
	if r.lane == p.low && r.from == p.low.next { // otherwise the lanes have changed meanwhile
		p.put(p.low, r.blocks)
	}
	return r.err
}

func (p *partition) endReading() {
	if p.aside != nil {
		p.aside.cancel()
		<-p.aside.done
		p.aside = nil
	}
}

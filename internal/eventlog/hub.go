package eventlog

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	liveBuffer = 8192
	lookEvery  = time.Second // how often a quiet hub looks whether it missed something
)

// hub follows the head of the log for the whole process: one subscription, every event decoded once, in order and without a
// gap. Live messages may be lost or repeated (a broken connection, a change of leader, a full buffer); the sequence tells, and
// what is missing is read from the stream.
type hub struct {
	log      *Log
	live     chan *nats.Msg
	sub      *nats.Subscription
	again    chan struct{}
	head     atomic.Uint64
	headTime atomic.Int64 // Unix nanoseconds; 0 when the log is empty
	heads    []atomic.Uint64

	mu      sync.Mutex
	changed chan struct{} // closed at the next event; nil while nobody waits
	newest  newest
	readers readers
}

func newHub(ctx context.Context, l *Log) (*hub, error) {
	h := &hub{
		log: l, live: make(chan *nats.Msg, liveBuffer), again: make(chan struct{}, 1),
		heads: make([]atomic.Uint64, l.partitions), readers: newReaders(), newest: newNewest(),
	}
	var err error
	// First the subscription, then the look at the head: nothing falls in between.
	if h.sub, err = l.conn.ChanSubscribe(liveAll, h.live); err != nil {
		return nil, fmt.Errorf("subscribe to live events: %w", err)
	}
	if err = l.conn.FlushWithContext(ctx); err != nil {
		return nil, fmt.Errorf("subscribe to live events: %w", err)
	}
	info, err := l.streamInfo(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the head of the log: %w", err)
	}
	h.head.Store(info.State.LastSeq)
	if info.State.LastSeq > 0 {
		h.headTime.Store(info.State.LastTime.UnixNano())
	}
	for p := range h.heads {
		e, found, err := l.leaderGet(ctx, getRequest{Last: "ev." + strconv.Itoa(p) + ".>"})
		if err != nil {
			return nil, fmt.Errorf("find the head of partition %d: %w", p, err)
		}
		if found {
			h.heads[p].Store(min(e.Sequence, info.State.LastSeq)) // a later one comes again by the subscription
		}
	}
	return h, nil
}

func (h *hub) run(ctx context.Context) {
	defer h.stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-h.live:
			h.receive(ctx, m)
		case <-h.again:
			h.catchUp(ctx, h.log.page)
		case <-look.C:
			h.catchUp(ctx, h.log.directPage)
		}
	}
}

func (h *hub) stop() {
	_ = h.sub.Unsubscribe()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers.closeAll()
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// interrupt makes every reader look at the log again, and so find out what happened to it.
func (h *hub) interrupt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers.interrupt()
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

// resync makes the hub look at the log itself.
func (h *hub) resync() { run.Signal(h.again) }

func (h *hub) receive(ctx context.Context, m *nats.Msg) {
	if h.log.usable() != nil {
		return // what comes is of another log
	}
	sequence, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	next := h.head.Load() + 1
	if err != nil || sequence < next || m.Header.Get("Nats-Stream") != streamName {
		return // somebody else's message on live.>, or one that was read already
	}
	if sequence > next {
		h.catchUp(ctx, h.log.page) // something is missing: a replica that lags will not do
		switch {
		case sequence <= h.head.Load():
			return // it was among what was read
		case sequence > h.head.Load()+1:
			time.AfterFunc(retryWait, h.resync) // a replica lags; what is missing comes with another look
			return
		}
	}
	e, err := decodeStored(m)
	if err != nil {
		h.log.logger.ErrorContext(ctx, "live event with a foreign subject", "sequence", sequence, "error", err)
		return
	}
	h.publish(e)
}

// catchUp reads everything after the head from the stream.
func (h *hub) catchUp(ctx context.Context, read func(ctx context.Context, filter string, from uint64, limit, maxBytes int) (page, error)) {
	for ctx.Err() == nil && h.log.usable() == nil {
		p, err := read(ctx, "", h.head.Load()+1, windowEvents, pageBytes)
		if err != nil {
			if ctx.Err() == nil {
				h.log.logger.WarnContext(ctx, "look at the head of the log", "error", err)
			}
			return
		}
		for _, e := range p.events {
			h.publish(e)
		}
		if p.complete {
			return
		}
	}
}

// publish makes an event known to the process. Sequences only grow.
func (h *hub) publish(e events.Recorded) {
	h.log.blocks.offer(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Partition >= 0 && e.Partition < len(h.heads) {
		h.heads[e.Partition].Store(e.Sequence)
	}
	h.headTime.Store(e.Stored.UnixNano())
	h.head.Store(e.Sequence)
	h.newest.note(&e)
	h.readers.deliver(&e)
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

func (h *hub) wait(ctx context.Context, after uint64) error {
	for {
		h.mu.Lock()
		if h.head.Load() > after {
			h.mu.Unlock()
			return nil
		}
		if h.readers.closed {
			h.mu.Unlock()
			return ErrUnavailable.WithHint("the log was closed")
		}
		if err := h.log.usable(); err != nil {
			h.mu.Unlock()
			return err
		}
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

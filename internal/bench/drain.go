package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	backlogMessages = 20
	livePerSecond   = 50
	liveTalks       = 200               // conversations that go on meanwhile
	window          = 249 * time.Minute // in which a backlog of backlogEvents came together
	backlogEvents   = 300_000
	drainMost       = 30 * time.Second // of draining are measured
	livePatience    = 30 * time.Second // for one message
)

// drain measures how soon a live message is visible while a backlog drains behind it, and how fast that drains.
func drain(ctx context.Context, o Options, dir string, give func(Result)) error {
	size := sizeOr(o, backlogEvents)
	talks, idle, err := liveIdle(ctx, o, dir)
	if err != nil {
		return err
	}
	_, head, err := seed(ctx, o, dir, shape{conversations: max(1, size/(backlogMessages+2)), messages: backlogMessages, atOnce: 200})
	if err != nil {
		return err
	}
	s, err := start(ctx, o, dir)
	if err != nil {
		return err
	}
	busy, drained, took, err := liveDuring(ctx, o, s, talks, head)
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	live := Result{
		What:  fmt.Sprintf("live message accepted → visible, %d/s, during a backlog of %d events (raw: idle)", livePerSecond, size),
		Value: busy.ms(99), Unit: "ms p99", Raw: idle.ms(99), Ratio: busy.ms(99) / idle.ms(99),
		P50: busy.ms(50), P99: busy.ms(99), Goal: fmt.Sprintf("p99 ≤ 2 × idle + 20 ms = %.0f ms", 2*idle.ms(99)+20),
	}
	live.Met = live.Value <= 2*idle.ms(99)+20
	give(live)
	perSecond := float64(drained) / took.Seconds()
	behind := Result{
		What:  fmt.Sprintf("backlog of %d events behind it, all targets (raw: as it came, %d in %s)", size, backlogEvents, window),
		Value: perSecond, Unit: "events/s", Raw: backlogEvents / window.Seconds(), Goal: "≥ 60 × real time",
	}
	behind.Ratio = behind.Value / behind.Raw
	behind.Met = behind.Ratio >= 60
	give(behind)
	return nil
}

// liveIdle opens the conversations that go on and measures them with nothing else to do.
func liveIdle(ctx context.Context, o Options, dir string) (talks []string, idle load, err error) {
	s, err := start(ctx, o, dir)
	if err != nil {
		return nil, load{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if talks, err = openConversations(ctx, s, liveTalks); err != nil {
		return nil, load{}, err
	}
	if err := caughtUp(ctx, o, s, allModels); err != nil {
		return nil, load{}, err
	}
	o.Say("%d live messages a second, idle", livePerSecond)
	timed, cancel := context.WithTimeout(ctx, o.Span)
	defer cancel()
	idle, err = live(ctx, timed, s, talks, livePerSecond, (*conn).seen)
	return talks, idle, err
}

// liveDuring sends live messages while the read models work off everything up to head, or as much as time allows.
func liveDuring(ctx context.Context, o Options, s *server, talks []string, head uint64) (busy load, drained uint64, took time.Duration, err error) {
	var first uint64
	if err := pollLag(ctx, s, allModels, func(lag uint64) bool { first = lag; return lag < head }); err != nil {
		return load{}, 0, 0, err // until then the database was starting
	}
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, drainMost)
	defer cancel()
	type answer struct {
		load
		err error
	}
	done := make(chan answer, 1)
	o.Say("%d live messages a second, %d events behind", livePerSecond, first)
	go func() {
		l, err := live(ctx, timed, s, talks, livePerSecond, (*conn).seen)
		done <- answer{l, err}
	}()
	last, said := first, began
	err = pollLag(timed, s, allModels, func(lag uint64) bool {
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			o.Say("%d events behind", lag)
		}
		last, took = min(last, lag), time.Since(began)
		return lag < 100 // the live messages of the moment
	})
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		err = nil // as far as it came
	}
	cancel()
	a := <-done
	return a.load, first - last, took, errors.Join(err, a.err)
}

// live sends messages at a steady rate until timed ends, whatever becomes of those before: each is accepted, and then
// asked for until it is visible.
func live(ctx, timed context.Context, s *server, talks []string, perSecond int, see func(*conn, context.Context, string) (time.Duration, error)) (load, error) {
	total := load{latencies: newLatencies()}
	var mu sync.Mutex
	var first error
	var all sync.WaitGroup
	var idle []*conn
	defer func() {
		for _, c := range idle {
			_ = c.Close()
		}
	}()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	began := time.Now()
	failed := func() bool { mu.Lock(); defer mu.Unlock(); return first != nil }
	for n := 0; timed.Err() == nil && !failed(); n++ {
		all.Go(func() {
			mu.Lock()
			var c *conn
			if len(idle) > 0 {
				c, idle = idle[len(idle)-1], idle[:len(idle)-1]
			}
			mu.Unlock()
			var took time.Duration
			var err error
			if c == nil {
				c, err = dial(ctx, s)
			}
			if err == nil {
				took, err = see(c, ctx, talks[n%len(talks)])
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if first == nil {
					first = err
				}
				return
			}
			idle = append(idle, c)
			total.count++
			total.add(took)
		})
		select {
		case <-timed.Done():
		case <-tick.C:
		}
	}
	all.Wait()
	total.elapsed = time.Since(began)
	return total, first
}

// seen posts a message and gives the time from its acceptance until a read shows it.
func (c *conn) seen(ctx context.Context, conversation string) (time.Duration, error) {
	path := "/v1/conversations/" + conversation
	var written struct {
		Position string `json:"position"`
	}
	body := fmt.Appendf(nil, `{"text":%q,"author":{"type":"customer"}}`, sampleText)
	if err := c.call(http.MethodPost, path+"/messages", body, &written); err != nil {
		return 0, err
	}
	accepted := time.Now()
	for {
		err := c.call(http.MethodGet, path+"?min_position="+written.Position, nil, nil)
		took := time.Since(accepted)
		switch {
		case err == nil:
			return took, nil
		case !strings.Contains(err.Error(), "not_yet") || ctx.Err() != nil:
			return took, err
		case took > livePatience:
			return took, nil // at least so long: that is the figure
		}
	}
}

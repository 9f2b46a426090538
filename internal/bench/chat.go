package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	chatStreams   = 10_000 // idle; the other lines have a share of them
	chatPerSecond = 500    // messages, half of them from each side
	chatMissed    = 100    // messages for each client of the storm
	chatAccepts   = 4      // callers while the storm goes on
	streamKB      = 25.0
	stormSeconds  = 10.0
)

// chat measures what live streams cost, how soon a message is on the other side, and what it is like when everybody comes
// back at once.
func chat(ctx context.Context, o Options, dir string, give func(Result)) error {
	streams := sizeOr(o, chatStreams)
	if err := idleStreams(ctx, o, dir+"/idle", streams, give); err != nil {
		return fmt.Errorf("idle streams: %w", err)
	}
	if err := pushed(ctx, o, dir, max(2, streams/5), give); err != nil {
		return fmt.Errorf("accepted and pushed: %w", err)
	}
	if err := storm(ctx, o, dir+"/storm", max(2, streams/2), give); err != nil {
		return fmt.Errorf("reconnect storm: %w", err)
	}
	return nil
}

func startChat(ctx context.Context, o Options, data string) (*server, error) {
	s, err := start(ctx, o, data, "--targets", "api,chat", "--visitor-rate-limit", "0")
	if err != nil {
		return nil, err
	}
	if err := s.migrated(ctx); err != nil { // so that a database that starts does not disturb
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// idleStreams measures the memory of a server before and after it has streams that nothing happens on.
func idleStreams(ctx context.Context, o Options, data string, n int, give func(Result)) (err error) {
	s, err := startChat(ctx, o, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	all, err := openVisitors(ctx, s, n)
	if err != nil {
		return err
	}
	before, err := settled(ctx, o, s)
	if err != nil {
		return err
	}
	o.Say("opening %d streams", n)
	streams, err := follow(ctx, s, all, "")
	defer closeAll(streams)
	if err != nil {
		return err
	}
	after, err := settled(ctx, o, s)
	if err != nil {
		return err
	}
	r := Result{
		What:  fmt.Sprintf("memory of each of %d idle visitors' streams on one process, serve --targets api,chat", n),
		Value: (after - before) * 1024 / float64(n), Unit: "KB resident", Goal: fmt.Sprintf("≤ %.0f KB", streamKB),
	}
	r.Met = r.Value <= streamKB
	give(r)
	return nil
}

// settled is the server's memory once a start or a rush is over.
func settled(ctx context.Context, o Options, s *server) (float64, error) {
	settle := time.NewTimer(o.span(2))
	defer settle.Stop()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-settle.C:
	}
	return s.residentMB()
}

// pushed measures the time from when one side sends a message until the other side's stream has it: visitors write to
// agents, agents to visitors. It holds more than accepting, which is part of it.
func pushed(ctx context.Context, o Options, dir string, n int, give func(Result)) (err error) {
	raw, err := openRaw(ctx, o, dir)
	if err != nil {
		return err
	}
	o.Say("the raw log")
	limit, err := raw.publish(ctx, 1, o.span(3), sampleText)
	if err = errors.Join(err, raw.log.Close()); err != nil {
		return err
	}
	s, err := startChat(ctx, o, dir+"/pushed")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	all, err := openVisitors(ctx, s, n)
	if err != nil {
		return err
	}
	if err := eachVisitor(ctx, s, all, func(c *conn, v visitor) error { return c.write(v, "first") }); err != nil {
		return err
	}
	o.Say("%d messages a second over %d streams", chatPerSecond, n)
	t := newTalk(s)
	if err := t.listen(ctx, all); err != nil {
		return err
	}
	sent, err := t.send(ctx, all, o.Span)
	if err = errors.Join(err, t.hear(ctx, sent)); err != nil {
		return err
	}
	r := Result{
		What:  fmt.Sprintf("chat message sent → pushed to the other side, %d/s over %d streams (raw: one caller's synced publish)", chatPerSecond, n),
		Value: t.ms(50), Unit: "ms p50", Raw: limit.ms(50), Ratio: t.ms(50) / limit.ms(50), P50: t.ms(50), P99: t.ms(99),
		Goal: "p50 ≤ 5 × one synced publish, p99 ≤ 30 ms",
	}
	r.Met = r.Ratio <= 5 && r.P99 <= 30
	give(r)
	return nil
}

// storm measures how long it takes until many clients that come back at once have all that they missed, and how long
// accepting takes meanwhile.
func storm(ctx context.Context, o Options, data string, n int, give func(Result)) error {
	s, err := startChat(ctx, o, data)
	if err != nil {
		return err
	}
	all, err := openVisitors(ctx, s, n)
	var talks []string
	if err == nil {
		talks, err = openConversations(ctx, s, min(n, 500))
	}
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	ids := make([]string, n)
	for i, v := range all {
		ids[i] = v.conversation
	}
	after, err := headOf(ctx, o, data)
	if err != nil {
		return err
	}
	if _, _, err := seed(ctx, o, data, shape{conversations: n, messages: chatMissed, atOnce: 200, ids: ids}); err != nil {
		return err
	}
	if s, err = startChat(ctx, o, data); err != nil {
		return err
	}
	idle, busy, took, err := storms(ctx, o, s, all, talks, after)
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	r := Result{
		What:  fmt.Sprintf("%d clients come back at once, each with %d missed messages: all are current", n, chatMissed),
		Value: took.Seconds(), Unit: "s", Goal: fmt.Sprintf("≤ %.0f s, nothing lost or doubled", stormSeconds),
	}
	r.Met = r.Value <= stormSeconds
	give(r)
	r = Result{
		What:  fmt.Sprintf("accepting meanwhile, %d callers (raw: without them)", chatAccepts),
		Value: busy.ms(99), Unit: "ms p99", Raw: idle.ms(99), Ratio: busy.ms(99) / idle.ms(99), P50: busy.ms(50), P99: busy.ms(99),
		Goal: "p99 ≤ 3 × idle",
	}
	r.Met = r.Ratio <= 3
	give(r)
	return nil
}

// storms measures accepting without and with the clients that come back.
func storms(ctx context.Context, o Options, s *server, all []visitor, talks []string, after string) (idle, busy load, took time.Duration, err error) {
	o.Say("%d callers, idle", chatAccepts)
	if idle, err = post(ctx, s, talks, chatAccepts, o.span(2)); err != nil {
		return load{}, load{}, 0, err
	}
	o.Say("%d clients come back", len(all))
	meanwhile, stop := context.WithCancel(ctx)
	defer stop()
	type answer struct {
		load
		err error
	}
	done := make(chan answer, 1)
	go func() {
		l, err := post(meanwhile, s, talks, chatAccepts, time.Hour)
		done <- answer{l, err}
	}()
	began := time.Now()
	err = comeBack(ctx, s, all, after)
	took = time.Since(began)
	stop()
	a := <-done
	if meanwhile.Err() != nil && ctx.Err() == nil && a.failed == 0 {
		a.err = nil // it was told to stop
	}
	return idle, a.load, took, errors.Join(err, a.err)
}

// comeBack lets every visitor stream from a position until they have all that they missed.
func comeBack(ctx context.Context, s *server, all []visitor, after string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, v := range all {
		group.Go(func() error {
			st, err := v.stream(ctx, s, after)
			if err != nil {
				return err
			}
			defer func() { _ = st.Close() }()
			seen := make(map[string]bool, chatMissed)
			for range chatMissed {
				e, err := st.next()
				if err != nil {
					return fmt.Errorf("after %d messages: %w", len(seen), err)
				}
				if seen[e.id] {
					return fmt.Errorf("position %s came twice", e.id)
				}
				seen[e.id] = true
			}
			return nil
		})
	}
	return group.Wait()
}

// talk is messages on their way: each says when it was sent.
type talk struct {
	s *server
	latencies

	mu    sync.Mutex
	heard map[int]bool
	more  chan struct{}
}

func newTalk(s *server) *talk {
	return &talk{s: s, latencies: newLatencies(), heard: map[int]bool{}, more: make(chan struct{}, 1)}
}

// listen opens the stream of every visitor and one of the agents.
func (t *talk) listen(ctx context.Context, all []visitor) error {
	streams, err := follow(ctx, t.s, all, "")
	if err != nil {
		closeAll(streams)
		return err
	}
	agents, err := openStream(ctx, t.s, t.s.key, "/v1/stream?kind=conversation&watch=true", "")
	if err != nil {
		closeAll(streams)
		return err
	}
	for _, st := range append(streams, agents) {
		from := "desk " // what a visitor waits for
		if st == agents {
			from = "visitor "
		}
		go func() {
			defer func() { _ = st.Close() }()
			for {
				e, err := st.next()
				if err != nil {
					return // the server has stopped
				}
				t.note(e, from)
			}
		}()
	}
	return nil
}

// send sends at a steady rate, and gives how many messages it has sent.
func (t *talk) send(ctx context.Context, all []visitor, d time.Duration) (int, error) {
	const callers = 64
	type job struct {
		n  int
		at time.Time // when it was due: a caller that is late does not hide it
	}
	jobs := make(chan job, 8*chatPerSecond)
	group, ctx := errgroup.WithContext(ctx)
	for range callers {
		group.Go(func() error {
			c, err := dial(ctx, t.s)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			for j := range jobs {
				v := all[j.n/2%len(all)]
				text := " " + strconv.Itoa(j.n) + " " + strconv.FormatInt(j.at.UnixNano(), 10) + " " + sampleText
				if j.n%2 == 0 {
					err = c.write(v, "visitor"+text)
				} else {
					c.key = t.s.key
					err = c.call(http.MethodPost, "/v1/conversations/"+v.conversation+"/messages", fmt.Appendf(nil, `{"text":%q}`, "desk"+text), nil)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	n := 0
	tick := time.NewTicker(time.Second / chatPerSecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < d && ctx.Err() == nil; n++ {
		select {
		case at := <-tick.C:
			jobs <- job{n, at}
		case <-ctx.Done():
		}
	}
	close(jobs)
	return n, group.Wait()
}

// note takes the time of a message of the other side.
func (t *talk) note(e streamed, from string) {
	n, at, ok := e.sentBy(from)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.heard[n] {
		t.heard[n] = true
		t.add(time.Since(at))
	}
	select {
	case t.more <- struct{}{}:
	default:
	}
}

// hear waits until all messages are on the other side.
func (t *talk) hear(ctx context.Context, sent int) error {
	patience := time.NewTimer(livePatience)
	defer patience.Stop()
	for {
		t.mu.Lock()
		n := len(t.heard)
		t.mu.Unlock()
		if n >= sent {
			return nil
		}
		select {
		case <-t.more:
		case <-patience.C:
			return fmt.Errorf("%d of %d messages never came: %w", sent-n, sent, os.ErrDeadlineExceeded)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

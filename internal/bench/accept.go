package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

func acceptMany(ctx context.Context, o Options, dir string, give func(Result)) error {
	if err := accept(ctx, o, dir+"/log", "api,chat", give,
		acceptLine{callers: 64, goal: "≥ 1.4 × plain synced publishes by 64 callers, p99 ≤ 40 ms", met: func(r Result) bool { return r.Ratio >= 1.4 && r.P99 <= 40 }},
		acceptLine{callers: 16, goal: "≥ 0.9 × plain synced publishes by 16 callers", met: func(r Result) bool { return r.Ratio >= 0.9 }}); err != nil {
		return err
	}
	// The same with everything that reads the log on the same processors and the same disk.
	return accept(ctx, o, dir+"/all", "all", give,
		acceptLine{callers: 64, goal: NoGoal, met: func(Result) bool { return false }})
}

func acceptOne(ctx context.Context, o Options, dir string, give func(Result)) error {
	return accept(ctx, o, dir+"/log", "api,chat", give, acceptLine{callers: 1, goal: "p50 ≤ 2.5 × one caller's synced publish"})
}

// sampleText is as long as a usual chat message.
var sampleText = strings.Repeat("My order has not arrived yet, can you look? ", 2)

type acceptLine struct {
	callers int
	goal    string
	met     func(Result) bool // nil: the line is about latency
}

// accept measures chat messages over HTTP into warm conversations against plain synced publishes of the same size by
// as many callers. The two take turns, so that a machine whose speed drifts is fair to both.
func accept(ctx context.Context, o Options, dir, targets string, give func(Result), lines ...acceptLine) (err error) {
	const turns = 3
	if err := os.Mkdir(dir, 0o711); err != nil { //nolint:gosec // the database's user must pass through
		return fmt.Errorf("make a directory: %w", err)
	}
	raw, err := openRaw(ctx, o, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.log.Close()) }()
	s, err := start(ctx, o, dir+"/server", "--targets", targets)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	conversations, err := openConversations(ctx, s, sizeOr(o, 1000))
	if err != nil {
		return err
	}
	if targets == "all" { // opening them is not to be worked off meanwhile
		if err := caughtUp(ctx, o, s, allModels); err != nil {
			return err
		}
	} else if err := s.migrated(ctx); err != nil {
		return err
	}
	for _, line := range lines {
		limit, ours := load{latencies: newLatencies()}, load{latencies: newLatencies()}
		for range turns {
			o.Say("%d callers: the raw log, then Tidemark", line.callers)
			part, err := raw.publish(ctx, line.callers, o.span(2*turns), sampleText)
			if err != nil {
				return err
			}
			limit = limit.plus(part)
			if part, err = post(ctx, s, conversations, line.callers, o.span(2*turns)); err != nil {
				return err
			}
			ours = ours.plus(part)
		}
		r := Result{
			What: fmt.Sprintf("a chat message over HTTP, %d callers, %d warm conversations, serve --targets %s", line.callers, len(conversations), targets),
			P50:  ours.ms(50), P99: ours.ms(99), Goal: line.goal,
		}
		if line.met != nil {
			r.Value, r.Unit, r.Raw = ours.perSecond(), "messages/s", limit.perSecond()
			r.Ratio = r.Value / r.Raw
			r.Met = line.met(r)
		} else {
			r.Value, r.Unit, r.Raw = ours.ms(50), "ms p50", limit.ms(50)
			r.Ratio = r.Value / r.Raw
			r.Met = r.Ratio <= 2.5
		}
		give(r)
	}
	return nil
}

func (l load) plus(o load) load {
	l.count += o.count
	l.failed += o.failed
	l.elapsed += o.elapsed
	l.merge(o.latencies)
	return l
}

func sizeOr(o Options, size int) int {
	if o.Size > 0 {
		return o.Size
	}
	return size
}

// openConversations makes n conversations over the API, by several callers.
func openConversations(ctx context.Context, s *server, n int) ([]string, error) {
	const callers = 32
	o, err := openMany(ctx, s, n, callers)
	if err != nil {
		return nil, fmt.Errorf("open %d conversations: %w", n, err)
	}
	return o, nil
}

func openMany(ctx context.Context, s *server, n, callers int) ([]string, error) {
	type answer struct {
		ids []string
		err error
	}
	answers := make(chan answer, callers)
	for caller := range callers {
		go func() {
			var a answer
			c, err := dial(ctx, s)
			if err != nil {
				answers <- answer{err: err}
				return
			}
			defer func() { _ = c.Close() }()
			for i := caller; i < n && a.err == nil; i += callers {
				var made struct {
					ID string `json:"id"`
				}
				body := fmt.Sprintf(`{"channel":"chat","subject":"Order %d","customer":{"name":"Visitor %d","external_id":"bench-%d"},"message":{"text":%q}}`, i, i, i, sampleText)
				a.err = c.call(http.MethodPost, "/v1/conversations", []byte(body), &made)
				a.ids = append(a.ids, made.ID)
			}
			answers <- a
		}()
	}
	var ids []string
	var first error
	for range callers {
		a := <-answers
		ids = append(ids, a.ids...)
		first = errors.Join(first, a.err)
	}
	return ids, first
}

// post lets callers write customer messages into conversations, each walking over its own share.
func post(ctx context.Context, s *server, conversations []string, callers int, d time.Duration) (load, error) {
	body := fmt.Appendf(nil, `{"text":%q,"author":{"type":"customer"}}`, sampleText)
	return drive(ctx, callers, d, func(ctx context.Context, n int) (func(context.Context) error, func(), error) {
		c, err := dial(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		next := n
		return func(context.Context) error {
			path := "/v1/conversations/" + conversations[next%len(conversations)] + "/messages"
			next += callers
			return c.call(http.MethodPost, path, body, nil)
		}, func() { _ = c.Close() }, nil
	})
}

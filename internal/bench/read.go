package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
)

const readers = 16

// inbox measures the list of open conversations, and that its cost does not follow the number of matches.
func inbox(ctx context.Context, o Options, dir string, give func(Result)) (err error) {
	n := sizeOr(o, 100_000)
	if err := prepare(ctx, o, dir); err != nil {
		return err
	}
	const rare = 40               // more than a page
	every := max(2, n/rare/2) | 1 // half of them are even and in the other queue
	_, _, err = seed(ctx, o, dir, shape{conversations: n, messages: 1, atOnce: 200, more: func(i int) []events.Event {
		switch {
		case i%2 == 0:
			return []events.Event{events.ConversationQueued{QueueID: "many", Reason: "bench"}}
		case i%every == 1:
			return []events.Event{events.ConversationQueued{QueueID: "few", Reason: "bench"}}
		default:
			return nil
		}
	}})
	if err != nil {
		return err
	}
	s, err := start(ctx, o, dir, "--targets", "api,projections")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := caughtUp(ctx, o, s, readModels); err != nil {
		return err
	}
	const turns = 2
	list, many, few := load{latencies: newLatencies()}, load{latencies: newLatencies()}, load{latencies: newLatencies()}
	for range turns {
		for _, part := range []struct {
			path string
			into *load
		}{{"/v1/conversations", &list}, {"/v1/conversations?queue=many", &many}, {"/v1/conversations?queue=few", &few}} {
			o.Say("%d callers: GET %s", readers, part.path)
			got, err := get(ctx, s, o, turns*3, func(int) string { return part.path })
			if err != nil {
				return err
			}
			*part.into = part.into.plus(got)
		}
	}
	r := Result{
		What:  fmt.Sprintf("first page of %d open conversations, %d callers", n, readers),
		Value: list.perSecond(), Unit: "requests/s", P50: list.ms(50), P99: list.ms(99), Goal: "≥ 2,000/s, p99 ≤ 25 ms",
	}
	r.Met = r.Value >= 2000 && r.P99 <= 25
	give(r)
	r = Result{
		What:  fmt.Sprintf("a queue with %d matches, against one with %d", (n+1)/2, n/every/2),
		Value: many.perSecond(), Unit: "requests/s", Raw: few.perSecond(), Ratio: many.perSecond() / few.perSecond(),
		P50: many.ms(50), P99: many.ms(99), Goal: "flat in the number of matches: ≥ 0.8 ×",
	}
	r.Met = r.Ratio >= 0.8
	give(r)
	return nil
}

// conversation measures one conversation with its newest messages.
func conversation(ctx context.Context, o Options, dir string, give func(Result)) (err error) {
	n := sizeOr(o, 2000)
	if err := prepare(ctx, o, dir); err != nil {
		return err
	}
	ids, _, err := seed(ctx, o, dir, shape{conversations: n, messages: 20, atOnce: 200})
	if err != nil {
		return err
	}
	s, err := start(ctx, o, dir, "--targets", "api,projections")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := caughtUp(ctx, o, s, readModels); err != nil {
		return err
	}
	o.Say("%d callers: GET one conversation", readers)
	got, err := get(ctx, s, o, 1, func(i int) string { return "/v1/conversations/" + ids[i%len(ids)] })
	if err != nil {
		return err
	}
	r := Result{
		What:  fmt.Sprintf("one of %d conversations with its 20 messages, %d callers", n, readers),
		Value: got.perSecond(), Unit: "requests/s", P50: got.ms(50), P99: got.ms(99), Goal: "≥ 3,000/s",
	}
	r.Met = r.Value >= 3000
	give(r)
	return nil
}

// get lets readers ask for a share of the run's seconds.
func get(ctx context.Context, s *server, o Options, share int, path func(i int) string) (load, error) {
	return drive(ctx, readers, o.span(share), func(ctx context.Context, n int) (func(context.Context) error, func(), error) {
		c, err := dial(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		next := n
		return func(context.Context) error {
			next += readers
			return c.call(http.MethodGet, path(next), nil, nil)
		}, func() { _ = c.Close() }, nil
	})
}

package searchindexer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// handler answers one request.
type handler func(ctx context.Context, body []byte) (any, error)

const (
	waiting    = 16               // requests per worker that may wait; more are refused at once
	maxTimeout = 60 * time.Second // of one request, whatever its caller says
)

// errBusy refuses work that would wait too long.
var errBusy = fault.New(fault.Unavailable, "search_unavailable", "search has too much to do now").
	WithHint("try again in a moment").WithRetryAfter(time.Second)

type request struct {
	msg   *nats.Msg
	until time.Time
	do    handler
}

// listen answers requests until ctx ends: so many at a time, and none for longer than its caller waits.
func listen(ctx context.Context, conn *nats.Conn, workers int, handlers map[string]handler) error {
	queue := make(chan request, workers*waiting)
	var subs []*nats.Subscription
	var wg sync.WaitGroup
	defer wg.Wait()
	for subject, do := range handlers {
		sub, err := conn.QueueSubscribe(subject, search.QueueGroup, func(msg *nats.Msg) {
			select {
			case queue <- request{msg: msg, until: time.Now().Add(timeout(msg)), do: do}:
			default:
				_ = msg.Respond(search.Encode(nil, errBusy)) // a caller that is gone needs no answer
			}
		})
		if err != nil {
			return errors.Join(fmt.Errorf("listen to %s: %w", subject, err), stop(subs))
		}
		subs = append(subs, sub)
	}
	if err := flush(ctx, conn); err != nil && ctx.Err() == nil {
		return errors.Join(fmt.Errorf("listen: %w", err), stop(subs))
	}
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case r := <-queue:
					serve(ctx, r)
				}
			}
		})
	}
	<-ctx.Done()
	return stop(subs)
}

// flush waits until the server knows of the subscriptions.
func flush(ctx context.Context, conn *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.FlushWithContext(ctx)
}

// stop ends subscriptions; a connection that is closed has ended them already.
func stop(subs []*nats.Subscription) (err error) {
	for _, sub := range subs {
		if e := sub.Unsubscribe(); e != nil && !errors.Is(e, nats.ErrConnectionClosed) && !errors.Is(e, nats.ErrBadSubscription) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func serve(ctx context.Context, r request) {
	ctx, cancel := context.WithDeadline(ctx, r.until)
	defer cancel()
	if ctx.Err() != nil {
		return // its caller has given up
	}
	result, err := r.do(ctx, r.msg.Data)
	if _, told := errors.AsType[*fault.Fault](err); !told && errors.Is(err, context.DeadlineExceeded) {
		err = errBusy
	}
	_ = r.msg.Respond(search.Encode(result, err)) // a caller that is gone needs no answer
}

func timeout(msg *nats.Msg) time.Duration {
	ms, err := strconv.ParseInt(msg.Header.Get(search.HeaderTimeout), 10, 64)
	if err != nil || ms <= 0 || ms > maxTimeout.Milliseconds() {
		return maxTimeout
	}
	return time.Duration(ms) * time.Millisecond
}

package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections"
)

const (
	queryTimeout = 5 * time.Second  // unless the caller's context ends before
	countTimeout = 60 * time.Second // it reads every document
	successor    = 2 * time.Second  // when there is no indexer, until the next one must be there
)

// ErrUnavailable is what a caller is told while nobody can answer. It is never an empty list.
var ErrUnavailable = fault.New(fault.Unavailable, "search_unavailable", "search is not available now").
	WithHint("everything else works; try again in a moment").WithRetryAfter(2 * time.Second)

// Client asks the search indexer, in whichever process it is.
type Client struct{ Conn *nats.Conn }

// Search finds conversations. Errors: those of Request.Parse, fault search_unavailable while nobody answers, not_yet
// and position_unknown when the request has a MinPosition.
func (c *Client) Search(ctx context.Context, r Request) (Answer, error) {
	var a Answer
	err := c.ask(ctx, SubjectQuery, queryTimeout, r, &a)
	return a, err
}

// Count tells how much of an org is in the index.
func (c *Client) Count(ctx context.Context, r CountRequest) ([]Count, error) {
	var list []Count
	err := c.ask(ctx, SubjectCount, countTimeout, r, &list)
	return list, err
}

// Status of the search indexer.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.ask(ctx, SubjectStatus, queryTimeout, nil, &s)
	return s, err
}

// Parked lists the keys that wait for an operator.
func (c *Client) Parked(ctx context.Context) ([]projections.Parked, error) {
	var list []projections.Parked
	err := c.ask(ctx, SubjectParked, queryTimeout, nil, &list)
	return list, err
}

// RetryParked asks to apply the failed event of a key again, and all that waits behind it. The list tells what came of
// it: the key is gone, or has more attempts. Faults: not_parked when no such key waits, parked_elsewhere when it waits at
// another event than that with this sequence.
func (c *Client) RetryParked(ctx context.Context, key string, sequence uint64) error {
	return c.ask(ctx, SubjectAsk, queryTimeout, AskRequest{Key: key, Sequence: sequence, Ask: projections.AskRetry}, nil)
}

// DropParked asks to skip the failed event of a key, and to go on with what waits behind it. Faults as for RetryParked.
func (c *Client) DropParked(ctx context.Context, key string, sequence uint64) error {
	return c.ask(ctx, SubjectAsk, queryTimeout, AskRequest{Key: key, Sequence: sequence, Ask: projections.AskDrop}, nil)
}

func (c *Client) ask(ctx context.Context, subject string, longest time.Duration, request, result any) error {
	bounded, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("write the request to %s: %w", subject, err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = body
	if until, ok := bounded.Deadline(); ok {
		msg.Header.Set(HeaderTimeout, strconv.FormatInt(time.Until(until).Milliseconds(), 10))
	}
	answer, err := c.Conn.RequestMsgWithContext(bounded, msg)
	for began := time.Now(); errors.Is(err, nats.ErrNoResponders) && time.Since(began) < successor; {
		if run.Pause(bounded, successor/20) != nil {
			break
		}
		answer, err = c.Conn.RequestMsgWithContext(bounded, msg)
	}
	switch {
	case err == nil:
		return Decode(answer.Data, result)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("ask %s: %w", subject, ctx.Err()) // nobody waits for this answer any more
	default:
		return ErrUnavailable.WithCause(fmt.Errorf("ask %s: %w", subject, err))
	}
}

package eraser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

const (
	atOnce   = 8                      // conversations of an intent at a time
	patience = 20 * time.Millisecond  // with partitions that are a moment behind a tombstone
	later    = 500 * time.Millisecond // when a customer whose conversations are not all erased is looked at again
)

// errDelayed keeps an erasure from being given up, whatever goes wrong.
var errDelayed = fault.New(fault.Unavailable, "erasure_delayed", "it could not be erased now")

// performer has the purges done.
type performer struct {
	log    projections.Log
	pool   *pgxpool.Pool
	fresh  *projections.Freshness
	eraser Eraser
}

func (p *performer) perform(ctx context.Context, i projections.Intent) error {
	var err error
	switch i.Kind {
	case intentConversations:
		err = p.conversations(ctx, i)
	case intentCustomer:
		err = p.customer(ctx, i)
	default:
		err = fmt.Errorf("an intent of unknown kind %q", i.Kind)
	}
	if _, early := errors.AsType[projections.NotNow](err); early || err == nil {
		return err
	}
	return errDelayed.WithCause(err)
}

func (p *performer) conversations(ctx context.Context, i projections.Intent) error {
	var what conversations
	if err := json.Unmarshal(i.Payload, &what); err != nil {
		return fmt.Errorf("payload of %s: %w", i.ID, err)
	}
	group, ctx2 := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, id := range what.IDs {
		group.Go(func() error {
			return p.eraser.PurgeConversation(ctx2, i.Org, id, command.Meta{
				ID: "erasure:" + id, Actor: events.Actor{Type: events.ActorSystem}, Depth: i.Depth, Cause: i.Cause,
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return p.unpark(ctx, i.Org, events.KindConversation, what.IDs...)
}

// customer purges a customer's own history. The one whose erasure it is waits for all that it is the end of.
func (p *performer) customer(ctx context.Context, i projections.Intent) error {
	var who person
	if err := json.Unmarshal(i.Payload, &who); err != nil {
		return fmt.Errorf("payload of %s: %w", i.ID, err)
	}
	if who.Root {
		if err := p.last(ctx, i); err != nil {
			return err
		}
	}
	if err := p.eraser.PurgeCustomer(ctx, i.Org, who.ID); err != nil {
		return err
	}
	return p.unpark(ctx, i.Org, events.KindCustomer, who.ID)
}

// last tells whether every conversation that was opened before the tombstone is known, and no intent of the erasure is
// left before this one. What is opened later than that is erased when it is heard of.
func (p *performer) last(ctx context.Context, i projections.Intent) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.log.Wait(bounded, i.Cause-1); err != nil {
		return early(ctx, err)
	}
	through := make([]uint64, p.log.Partitions())
	for partition := range through {
		through[partition] = min(i.Cause, p.log.HeadOf(partition))
	}
	if err := p.fresh.AwaitThrough(ctx, Name, through, patience); err != nil {
		if errors.Is(err, projections.ErrNotYet) {
			return projections.NotNow{After: later}
		}
		return err
	}
	before, err := projections.IntentsBefore(ctx, p.pool, Name, i)
	if err != nil || before == 0 {
		return err
	}
	return projections.NotNow{After: later}
}

// early is NotNow for a wait that was bounded, and the error for one that was ended.
func early(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return projections.NotNow{After: later}
	}
	return err
}

// unpark lets projections that have stopped at an event of these go on: it is gone, and so is what they keep of it.
func (p *performer) unpark(ctx context.Context, org string, kind events.Kind, ids ...string) error {
	keys := make([]events.Aggregate, len(ids))
	for n, id := range ids {
		keys[n] = events.Aggregate{Org: org, Kind: kind, ID: id}
	}
	return projections.RetryParkedKeys(ctx, p.pool, keys...)
}

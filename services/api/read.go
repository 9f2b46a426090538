package api

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// Reading is the part of the input that every read of a read model has.
type Reading struct {
	MinPosition string `query:"min_position" maxLength:"200" doc:"A Tidemark-Position: the answer shows at least that write, and what came before it in the same conversation, customer or other thing. Waits a moment; not_yet when that is not enough."`
}

// Paging is the part of the input that every list has.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"25" doc:"Items on a page."`
	Cursor string `query:"cursor" maxLength:"2000" doc:"From links.next of the page before."`
}

// AsOf is how fresh an answer is.
type AsOf struct {
	Position   string    `json:"position" doc:"Everything up to here is in the answer, at least."`
	Time       time.Time `json:"time" doc:"When the log took what stands there."`
	LagSeconds float64   `json:"lag_seconds" doc:"Age of the oldest event that is not in the answer; 0 when there is none."`
	LagEvents  uint64    `json:"lag_events" doc:"How many events are not in the answer yet, at most."`
}

// Links lead to other pages.
type Links struct {
	Next string `json:"next,omitempty" doc:"The next page; absent on the last."`
}

// List is a page of a list.
type List[T any] struct {
	Items []T   `json:"items"`
	Links Links `json:"links"`
	AsOf  *AsOf `json:"as_of,omitempty" doc:"How fresh the list is; absent when it cannot lag."`
}

// Answer is a read.
type Answer[T any] struct{ Body T }

// minPosition reads the position that an answer must show; zero when none was asked for.
func (r Reading) minPosition() (events.Position, error) {
	if r.MinPosition == "" {
		return events.Position{}, nil
	}
	p, err := events.ParsePosition(r.MinPosition)
	if err != nil {
		return events.Position{}, wrong("query.min_position", "is not a position")
	}
	return p, nil
}

// fresh waits until the read models show what the caller asks for, and tells how fresh they are together. It must
// come before the read itself: what it tells is a lower bound then.
func (s *Service) fresh(ctx context.Context, r Reading, models ...string) (*AsOf, error) {
	return s.freshBy(ctx, r, s.Reads.Freshness.Await, models)
}

// freshOf is fresh for who reads one conversation only: that may be further than the rest.
func (s *Service) freshOf(ctx context.Context, conversation string, r Reading, models ...string) (*AsOf, error) {
	a := events.Aggregate{Org: callerOf(ctx).OrgID, Kind: events.KindConversation, ID: conversation}
	return s.freshBy(ctx, r, func(ctx context.Context, name string, p events.Position, longest time.Duration) error {
		return s.Reads.Freshness.AwaitOf(ctx, name, a, p, longest)
	}, models)
}

type awaiting func(ctx context.Context, name string, p events.Position, longest time.Duration) error

func (s *Service) freshBy(ctx context.Context, r Reading, await awaiting, models []string) (*AsOf, error) {
	p, err := r.minPosition()
	if err != nil {
		return nil, err
	}
	return s.freshAt(ctx, await, models, p)
}

// freshAt is fresh for positions, those apart that are zero.
func (s *Service) freshAt(ctx context.Context, await awaiting, models []string, positions ...events.Position) (*AsOf, error) {
	until := s.Clock().Add(s.MaxWait)
	for _, p := range positions {
		if p.IsZero() {
			continue
		}
		for _, name := range models {
			if err := await(ctx, name, p, max(until.Sub(s.Clock()), time.Millisecond)); err != nil {
				return nil, s.late(ctx, name, err)
			}
		}
	}
	var least *projections.AsOf
	for _, name := range models {
		a, err := s.Reads.Freshness.AsOf(ctx, name)
		if err != nil {
			return nil, err
		}
		if least == nil || a.Position.Sequence < least.Position.Sequence {
			least = &a
		}
	}
	return asOf(*least), nil
}

// late says how far behind a read model is that is not there yet.
func (s *Service) late(ctx context.Context, name string, err error) error {
	if !errors.Is(err, projections.ErrNotYet) {
		return err
	}
	late, unknown := s.Reads.Freshness.AsOf(ctx, name)
	if unknown != nil {
		return err
	}
	return fault.Newf(fault.Unavailable, "not_yet", "%s has not read that far: it is %d events and %.1f seconds behind", name, late.LagEvents, late.LagSeconds).
		WithHint("ask again, or without min_position").WithRetryAfter(time.Second).WithCause(err)
}

func asOf(a projections.AsOf) *AsOf {
	return &AsOf{Position: a.Position.String(), Time: a.Time, LagSeconds: a.LagSeconds, LagEvents: a.LagEvents}
}

// next is the link to the page that a cursor begins: the same request with another cursor.
func next(ctx context.Context, cursor string) Links {
	if cursor == "" {
		return Links{}
	}
	u := callerOf(ctx).url
	q := u.Query()
	q.Set("cursor", cursor)
	q.Del("min_position") // the first page has waited for it
	return Links{Next: (&url.URL{Path: u.Path, RawQuery: q.Encode()}).String()}
}

// each maps a slice; the result is never nil, so that JSON has [] and not null.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// some is a pointer to s, or nil when s is empty: JSON has null for "none".
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// page is what of an answer is looked at.
type page struct {
	Total uint64 `json:"total"`
	Items []struct {
		ID    string  `json:"conversation_id"`
		Score float64 `json:"score"`
	} `json:"items"`
}

// right tells whether a page of needle i is what it has to be.
func (r *searchRun) right(i int, total uint64, items int) error {
	want := matches(r.there, i%len(needles))
	if total != uint64(want) || items != min(want, search.DefaultLimit) { //nolint:gosec // it is positive
		return fmt.Errorf("a search for %q found %d with %d on the page, and not %d", needles[i%len(needles)], total, items, want)
	}
	return nil
}

// asks searches for needle i by the API.
func (r *searchRun) asks(c *conn, i int) error {
	var p page
	if err := c.call(http.MethodGet, "/v1/search?q="+needles[i%len(needles)], nil, &p); err != nil {
		return err
	}
	return r.right(i, p.Total, len(p.Items))
}

// byAPI is how often callers find by the API.
func (r *searchRun) byAPI(ctx context.Context, s *server) (load, error) {
	r.Say("%s: %d callers: GET /v1/search", r.name, readers)
	return drive(ctx, readers, r.span(2), func(ctx context.Context, n int) (func(context.Context) error, func(), error) {
		c, err := dial(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		next := n
		return func(context.Context) error {
			next++
			return r.asks(c, next)
		}, func() { _ = c.Close() }, nil
	})
}

// byService is how often callers find by asking the search service in a process of its own.
func (r *searchRun) byService(ctx context.Context) (total load, err error) {
	at, err := freeAddress(ctx)
	if err != nil {
		return load{}, err
	}
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: r.data, Listen: at, Logger: r.Logger})
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s, _, _, err := r.serve(ctx, "--nats", "nats://"+at)
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	c := &search.Client{Conn: l.Conn()}
	for i := range needles {
		if err := r.ranked(ctx, c, i); err != nil {
			return load{}, err
		}
	}
	r.Say("%s: %d callers: the search service", r.name, readers)
	return drive(ctx, readers, r.span(2), func(_ context.Context, n int) (func(context.Context) error, func(), error) {
		next := n
		return func(ctx context.Context) error {
			next++
			request, _, err := query(next)
			if err != nil {
				return err
			}
			a, err := c.Search(ctx, request)
			if err != nil {
				return err
			}
			return r.right(next, a.Total, len(a.Items))
		}, func() {}, nil
	})
}

// ranked goes through all pages of needle i: every match is on one of them, and none before one that ranks higher. So the
// first page is the top.
func (r *searchRun) ranked(ctx context.Context, c *search.Client, i int) error {
	request, _, err := query(i)
	if err != nil {
		return err
	}
	found, last := map[string]bool{}, 0.0
	for {
		a, err := c.Search(ctx, request)
		if err != nil {
			return err
		}
		for _, hit := range a.Items {
			if len(found) > 0 && hit.Score > last {
				return fmt.Errorf("a search for %q has %v after %v", request.Q, hit.Score, last)
			}
			found[hit.ConversationID], last = true, hit.Score
		}
		if request.Cursor = a.Next; a.Next == "" {
			break
		}
	}
	if want := matches(r.there, i); len(found) != want {
		return fmt.Errorf("the pages of a search for %q have %d conversations, and not %d", request.Q, len(found), want)
	}
	return nil
}

// byItself is how often callers find what they ask the engine itself for.
func (r *searchRun) byItself(ctx context.Context, span time.Duration) (total load, err error) {
	raw, err := r.find(ctx)
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	r.Say("%s: %d callers: the engine by itself", r.name, readers)
	return drive(ctx, readers, span, func(_ context.Context, n int) (func(context.Context) error, func(), error) {
		next := n
		return func(ctx context.Context) error {
			next++
			_, q, err := query(next)
			if err != nil {
				return err
			}
			total, ids, err := raw.Find(ctx, q)
			if err != nil {
				return err
			}
			return r.right(next, total, len(ids))
		}, func() {}, nil
	})
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// found posts a message with a word that no other has, and gives the time from its acceptance until a search finds it.
func (c *conn) found(ctx context.Context, conversation string) (time.Duration, error) {
	word := strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return -1
		case r <= '9':
			return r - '0' + 'g' // numbers are found by their parts too
		}
		return r
	}, strings.ToLower(events.NewID()))
	var written struct {
		Position string `json:"position"`
	}
	body := fmt.Appendf(nil, `{"text":%q,"author":{"type":"customer"}}`, word+" "+sampleText)
	if err := c.call(http.MethodPost, "/v1/conversations/"+conversation+"/messages", body, &written); err != nil {
		return 0, err
	}
	accepted := time.Now()
	for {
		var p page
		err := c.call(http.MethodGet, "/v1/search?q="+word+"&min_position="+written.Position, nil, &p)
		took := time.Since(accepted)
		switch {
		case err == nil && (len(p.Items) != 1 || p.Items[0].ID != conversation):
			return took, fmt.Errorf("a search from %s on found %d conversations, and not %s alone", written.Position, p.Total, conversation)
		case err == nil, took > livePatience: // at least so long: that is the figure
			return took, nil
		case !strings.Contains(err.Error(), "not_yet") || ctx.Err() != nil:
			return took, err
		}
	}
}

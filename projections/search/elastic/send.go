package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections"
)

const (
	inFlight   = 4        // requests at a time, of all who write
	worthwhile = 64 << 10 // bytes: a smaller part is not sent by itself only to have several in flight
	tries      = 6        // in a row, of which nothing was taken, before it is said that nothing is taken now

	shortestWait = 50 * time.Millisecond // before the second try
	longestWait  = 2 * time.Second
)

// sender sends documents in bulk requests of a size that the engine answers in good time, several at a time. It tries again
// what the engine did not take for reasons of its own.
type sender struct {
	client  *es.Client
	metrics *Metrics
	slots   chan struct{}
	bulky   chan struct{} // slots that a rebuild may have: one is left for what happens now
	size    sizing
}

func newSender(client *es.Client, m *Metrics) *sender {
	m.limit(firstSize)
	return &sender{client: client, metrics: m, slots: make(chan struct{}, inFlight), bulky: make(chan struct{}, inFlight-1), size: sizing{bytes: firstSize}}
}

// send writes all documents, in any order. Errors: a refusedError when some will never be taken, and all others were;
// projections.ErrTransient when some were not taken now.
func (s *sender) send(ctx context.Context, path string, items []item, bulky bool) error {
	total := 0
	for _, i := range items {
		total += len(i.lines)
	}
	var mu sync.Mutex
	var failed error
	var refused *refusedError
	var wg sync.WaitGroup
	defer wg.Wait()
	for len(items) > 0 {
		if err := s.acquire(ctx, bulky); err != nil {
			return fmt.Errorf("%w: write documents: %w", projections.ErrTransient, err)
		}
		mu.Lock()
		stop := failed
		mu.Unlock()
		if stop != nil { // the rest would fare the same
			s.release(bulky)
			break
		}
		var part []item
		part, items = cut(items, min(s.size.now(), max(worthwhile, total/inFlight)))
		wg.Go(func() {
			defer s.release(bulky)
			no, err := s.persist(ctx, path, part)
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
			refused = refused.join(no)
		})
	}
	wg.Wait()
	switch {
	case failed != nil:
		return failed
	case refused != nil:
		return refused
	}
	return nil
}

func (s *sender) acquire(ctx context.Context, bulky bool) error {
	if bulky {
		select {
		case s.bulky <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		if bulky {
			<-s.bulky
		}
		return ctx.Err()
	}
}

func (s *sender) release(bulky bool) {
	<-s.slots
	if bulky {
		<-s.bulky
	}
}

func (e *refusedError) join(other *refusedError) *refusedError {
	switch {
	case other == nil:
		return e
	case e == nil:
		return other
	}
	e.others += 1 + other.others
	return e
}

// cut takes items that fit into a size; one at least.
func cut(items []item, size int) (part, rest []item) {
	n, bytes := 0, 0
	for n < len(items) && (n == 0 || bytes+len(items[n].lines) <= size) {
		bytes += len(items[n].lines)
		n++
	}
	return items[:n], items[n:]
}

// persist sends documents until each was taken or refused, or nothing more of them is taken.
func (s *sender) persist(ctx context.Context, path string, items []item) (refused *refusedError, err error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = shortestWait, longestWait
	for try := 0; len(items) > 0; {
		part, rest := cut(items, s.size.now()) // which may have become smaller meanwhile
		again, no, busy := s.once(ctx, path, part)
		refused = refused.join(no)
		if len(again) < len(part) {
			try = 0
			wait.Reset()
		}
		if busy == nil {
			items = rest
			continue
		}
		s.metrics.again(busy.reason)
		if try++; !busy.soon || try == tries || run.Pause(ctx, wait.NextBackOff()) != nil {
			return refused, fmt.Errorf("write documents: %w", busy)
		}
		items = slices.Concat(again, rest)
	}
	return refused, nil
}

// once sends one request. What it gives back is to be sent again, and busy says why.
func (s *sender) once(ctx context.Context, path string, part []item) (again []item, refused *refusedError, busy *busyError) {
	var body strings.Builder
	for _, i := range part {
		body.Write(i.lines)
	}
	began := time.Now()
	res, err := s.client.PerformRequest(ctx, es.PerformRequestOptions{
		Method: http.MethodPost, Path: path, Body: body.String(), ContentType: "application/x-ndjson",
		Params: url.Values{"filter_path": {"items.*.status,items.*.error"}, "require_alias": {"true"}},
	})
	took := time.Since(began)
	s.metrics.sent(body.Len(), took.Seconds())
	var answer es.BulkResponse
	if err == nil {
		err = json.Unmarshal(res.Body, &answer)
	}
	if err == nil && len(answer.Items) != len(part) {
		err = fmt.Errorf("it answers for %d documents of %d", len(answer.Items), len(part))
	}
	if err != nil {
		return s.failed(part, body.Len(), err)
	}
	again, refused, busy = s.sort(part, answer.Items)
	if busy != nil && busy.reason == reasonBusy {
		s.size.halve()
	} else {
		s.size.learn(body.Len(), took)
	}
	s.metrics.limit(s.size.now())
	return again, refused, busy
}

// failed tells what a request means that was not carried out, as far as is known.
func (s *sender) failed(part []item, size int, err error) ([]item, *refusedError, *busyError) {
	busy := &busyError{reason: reasonOther, err: err}
	status := 0
	if e, ok := errors.AsType[*es.Error](err); ok {
		status, busy.gone = e.Status, typeOf(e) == typeNone
	}
	away, isAway := errors.AsType[*awayError](err)
	switch {
	case status == http.StatusRequestEntityTooLarge && len(part) == 1:
		s.metrics.became(resultRefused, 1)
		return nil, &refusedError{at: part[0].at, kind: "too large", reason: fmt.Sprintf("%d bytes", size)}, nil
	case status == http.StatusRequestEntityTooLarge:
		busy.reason, busy.soon = reasonLarge, true
		s.size.tooMuch(size)
	case status == http.StatusTooManyRequests:
		busy.reason, busy.soon = reasonBusy, true
		s.size.halve()
	case status == 0, status >= http.StatusInternalServerError:
		busy.reason, busy.soon = reasonAway, !isAway || !away.open // who is only probed is not to be asked again and again
		s.size.halve()
	}
	s.metrics.limit(s.size.now())
	return part, nil, busy
}

// sort tells what became of the documents of a request.
func (s *sender) sort(part []item, items []map[string]*es.BulkResponseItem) (again []item, refused *refusedError, busy *busyError) {
	written, stale, blamed := 0, 0, 0
	for n, item := range items {
		for _, r := range item {
			switch {
			case r.Error == nil && r.Status < http.StatusMultipleChoices:
				written++
			case r.Status == http.StatusConflict:
				stale++
			case r.Error == nil:
				again, busy = append(again, part[n]), &busyError{reason: reasonOther, err: fmt.Errorf("document %s: status %d", part[n].at, r.Status)}
			case passes(r):
				again = append(again, part[n])
				reason, soon := reasonOf(r)
				busy = &busyError{reason: reason, soon: soon, gone: r.Error.Type == typeNone, err: fmt.Errorf("document %s: %s: %s", part[n].at, r.Error.Type, r.Error.Reason)}
			default:
				blamed++
				refused = refused.join(&refusedError{at: part[n].at, kind: r.Error.Type, reason: r.Error.Reason})
			}
		}
	}
	s.metrics.became(resultWritten, written)
	s.metrics.became(resultStale, stale)
	s.metrics.became(resultRefused, blamed)
	return again, refused, busy
}

// What the engine calls errors that are of the index's state and not of the document.
const (
	typeBlock  = "cluster_block_exception" // read-only, as when the disk is nearly full
	typeNone   = "index_not_found_exception"
	typeClosed = "index_closed_exception"
)

// passes tells whether a document may be taken later.
func passes(r *es.BulkResponseItem) bool {
	return r.Status == http.StatusTooManyRequests || r.Status >= http.StatusInternalServerError ||
		r.Error.Type == typeBlock || r.Error.Type == typeNone || r.Error.Type == typeClosed
}

// reasonOf is why a document was not taken, and whether it is worth trying again at once.
func reasonOf(r *es.BulkResponseItem) (reason string, soon bool) {
	switch {
	case r.Error.Type == typeBlock:
		return reasonBlock, false // until somebody has made room
	case r.Status == http.StatusTooManyRequests:
		return reasonBusy, true
	case r.Status >= http.StatusInternalServerError:
		return reasonAway, true
	}
	return reasonOther, false
}

package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
)

// lease says whose the indexes are, in an index of its own. Its owner writes it again and again; whoever sees by their own clock that it has not
// changed for its whole time takes it over. Clocks are not compared. It keeps two processes from taking turns; that none
// of them spoils the work of the other is for versions and sequence numbers to see to.
type lease struct {
	engine *Engine // of that index
	owner  string
	every  time.Duration

	mu   sync.Mutex
	at   mark
	lost bool
}

// mark is the state of a document at one moment, as the engine counts changes.
type mark struct{ sequence, term int64 }

type leaseBody struct {
	Owner string `json:"owner"`
	Beat  uint64 `json:"beat"`
}

var errLost = errors.New("the search index was taken over by another process")

// leaseIndex has nothing to search for.
const leaseIndex = `{"settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}}, "mappings": {"dynamic": false}, "aliases": {%q: {}}}`

// acquire waits until the indexes are nobody's, as long as nobody says otherwise.
func (s *Store) acquire(ctx context.Context) (*lease, error) {
	e := &Engine{cfg: s.cfg, client: s.client, gone: s.gone, index: s.cfg.Name + "-lease"}
	_, err := s.client.CreateIndex(e.index).BodyString(fmt.Sprintf(leaseIndex, into(e.index))).Do(ctx)
	if err != nil && typeOf(err) != "resource_already_exists_exception" {
		return nil, away("make the index "+e.index, err)
	}
	if _, err := s.client.ClusterHealth().Index(e.index).WaitForYellowStatus().Timeout("10s").Do(ctx); err != nil {
		return nil, away("wait for the index "+e.index, err)
	}
	l := &lease{engine: e, owner: cmp.Or(s.cfg.Owner, events.NewID()), every: s.cfg.Lease / 4}
	first, found, err := l.look(ctx)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return l, l.take(ctx, nil)
	case first.owner == l.owner: // it was this process, before it ended
		return l, l.take(ctx, &first.mark)
	}
	look := time.NewTicker(l.every)
	defer look.Stop()
	for range 5 { // longer than its time, by a beat
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-look.C:
		}
		now, found, err := l.look(ctx)
		switch {
		case err != nil:
			return nil, err
		case !found:
			return l, l.take(ctx, nil)
		case now != first:
			return nil, fmt.Errorf("search index %s: %w", s.cfg.Name, projections.ErrHeld)
		}
	}
	return l, l.take(ctx, &first.mark)
}

// seen is whose the lease was at a moment.
type seen struct {
	mark
	owner string
}

func (l *lease) look(ctx context.Context) (seen, bool, error) {
	got, err := l.engine.get(ctx, leasePlace)
	if err != nil || got == nil {
		return seen{}, false, err
	}
	var d document
	var body leaseBody
	if json.Unmarshal(got.Source, &d) == nil {
		_ = json.Unmarshal(d.Kept, &body) // whoever it is, they are somebody else
	}
	return seen{mark: markOf(got), owner: body.Owner}, true, nil
}

func markOf(d *es.GetResult) mark {
	var m mark
	if d.SeqNo != nil {
		m.sequence = *d.SeqNo
	}
	if d.PrimaryTerm != nil {
		m.term = *d.PrimaryTerm
	}
	return m
}

// take writes the lease over what was there; nil: nothing. Somebody who was faster has it.
func (l *lease) take(ctx context.Context, over *mark) error {
	body, err := json.Marshal(leaseBody{Owner: l.owner, Beat: uint64(time.Now().UnixNano())})
	if err != nil {
		return fmt.Errorf("write whose the search index is: %w", err)
	}
	at, err := l.engine.put(ctx, leasePlace, document{Kind: kindLease, Kept: body}, over)
	if errors.Is(err, errConflict) {
		return fmt.Errorf("search index %s: %w", l.engine.cfg.Name, projections.ErrHeld)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = at
	return nil
}

// keep renews the lease until ctx ends or it is lost. An engine that does not answer for a while takes nothing away: who
// would take over has to ask it too.
func (l *lease) keep(ctx context.Context) error {
	beat := time.NewTicker(l.every)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		l.mu.Lock()
		at := l.at
		l.mu.Unlock()
		if err := l.take(ctx, &at); errors.Is(err, projections.ErrHeld) {
			if ours, err := l.ours(ctx); ours || err != nil { // if it is not known, the next beat tells
				continue
			}
			l.mu.Lock()
			l.lost = true
			l.mu.Unlock()
			return errLost
		}
	}
}

// ours tells whether it was we who wrote it last: the answer to a beat may have been lost on the way.
func (l *lease) ours(ctx context.Context) (bool, error) {
	got, err := l.engine.get(ctx, leasePlace)
	if err != nil || got == nil {
		return false, err
	}
	var d document
	var body leaseBody
	if json.Unmarshal(got.Source, &d) != nil || json.Unmarshal(d.Kept, &body) != nil || body.Owner != l.owner {
		return false, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = markOf(got)
	return true, nil
}

func (l *lease) owns() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lost
}

// release lets the next one in at once, if the engine answers.
func (l *lease) release(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost {
		return
	}
	l.lost = true
	_, _ = l.engine.client.Delete().Index(l.engine.index).Id(leasePlace).IfSeqNo(l.at.sequence).IfPrimaryTerm(l.at.term).Do(ctx)
}

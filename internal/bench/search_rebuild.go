package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/projections/search"
)

const (
	searchedPerSecond = 10 // live messages that are searched for: each waits for a refresh, and few can wait at a time
	rebuildMemory     = 200
)

// built is what came of a rebuild.
type built struct {
	documents uint64        // in the index, as verified
	written   uint64        // by the rebuild; what is touched meanwhile may be written by the live indexer
	took      time.Duration // of the writing; comparing comes after
	memory    float64       // MB at the most, above what there was before
}

const rebuildsPath = "/v1/admin/rebuilds"

// rebuild builds the index anew beside the one that serves, waits until it was verified, and takes it away again.
func (r *searchRun) rebuild(ctx context.Context, s *server) (built, error) {
	c, err := dial(ctx, s)
	if err != nil {
		return built{}, err
	}
	defer func() { _ = c.Close() }()
	r.Say("%s: rebuilding", r.name)
	before, err := s.ownMB()
	if err != nil {
		return built{}, err
	}
	var out built
	began := time.Now()
	if err := c.call(http.MethodPost, rebuildsPath, []byte("{}"), nil); err != nil {
		return built{}, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var status search.RebuildStatus
		if err := c.call(http.MethodGet, rebuildsPath, nil, &status); err != nil {
			return built{}, err
		}
		now, err := s.ownMB()
		if err != nil {
			return built{}, err
		}
		out.memory = max(out.memory, now-before)
		p := status.Rebuild
		if p == nil {
			return built{}, errors.New("the rebuild is gone")
		}
		if p.State != search.RebuildBuilding && out.took == 0 {
			out.took, out.written = time.Since(began), p.Documents
		}
		switch p.State {
		case search.RebuildVerified:
			want := uint64(r.there + r.corpus.others)                                    //nolint:gosec // it is positive
			if p.Verified == nil || p.Verified.Documents != want || out.written < want { // customers are documents, too
				return built{}, fmt.Errorf("a rebuild wrote %d documents, and verified %+v, of %d", out.written, p.Verified, want)
			}
			out.documents = want
			return out, c.call(http.MethodPost, rebuildsPath+"/cancel", []byte("{}"), nil)
		case search.RebuildBuilding, search.RebuildVerifying, search.RebuildBuilt:
		default:
			return built{}, fmt.Errorf("the rebuild is %s: %s", p.State, p.Detail)
		}
		select {
		case <-ctx.Done():
			return built{}, ctx.Err()
		case <-tick.C:
		}
	}
}

// live measures how soon a message is found, idle and during a rebuild, and between the two how often callers find.
func (r *searchRun) live(ctx context.Context, s *server) (api load, err error) {
	if r.talks, err = openConversations(ctx, s, liveTalks); err != nil {
		return load{}, err
	}
	r.corpus.others += len(r.talks)
	if _, _, err := r.caughtUp(ctx, s); err != nil {
		return load{}, err
	}
	r.Say("%s: %d messages a second, each searched for, idle", r.name, searchedPerSecond)
	timed, cancel := context.WithTimeout(ctx, r.Span)
	idle, err := live(ctx, timed, s, r.talks, searchedPerSecond, (*conn).found)
	cancel()
	if err != nil {
		return load{}, err
	}
	longest := 300.0
	if r.fresh > 0 {
		longest = float64((r.fresh + 200*time.Millisecond).Milliseconds())
	}
	line := Result{
		What:  fmt.Sprintf("%s: message accepted → found, %d/s, idle", r.name, searchedPerSecond),
		Value: idle.ms(99), Unit: "ms p99", Raw: float64(r.fresh.Milliseconds()), P50: idle.ms(50), P99: idle.ms(99),
		Goal: fmt.Sprintf("p99 ≤ %.0f ms", longest),
	}
	if r.fresh > 0 {
		line.What += " (raw: the refresh interval)"
		line.Ratio = line.Value / line.Raw
	}
	line.Met = line.Value <= longest
	r.give(line)
	if api, err = r.byAPI(ctx, s); err != nil {
		return load{}, err
	}
	return api, r.liveRebuild(ctx, s, idle)
}

// liveRebuild measures the same during a rebuild, and the memory that this one takes.
func (r *searchRun) liveRebuild(ctx context.Context, s *server, idle load) error {
	timed, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		load
		err error
	}
	done := make(chan answer, 1)
	go func() {
		l, err := live(ctx, timed, s, r.talks, searchedPerSecond, (*conn).found)
		done <- answer{l, err}
	}()
	made, err := r.rebuild(ctx, s)
	cancel()
	busy := <-done
	if err = errors.Join(err, busy.err); err != nil {
		return err
	}
	if busy.count > 0 {
		line := Result{
			What:  fmt.Sprintf("%s: message accepted → found, %d/s, during a rebuild (raw: idle)", r.name, searchedPerSecond),
			Value: busy.ms(99), Unit: "ms p99", Raw: idle.ms(99), Ratio: busy.ms(99) / idle.ms(99),
			P50: busy.ms(50), P99: busy.ms(99), Goal: "p99 ≤ 2 × idle",
		}
		line.Met = line.Ratio <= 2
		r.give(line)
	}
	line := Result{
		What:  fmt.Sprintf("%s: memory of a rebuild of %d conversations above idle, mapped files apart (raw: of the first part)", r.name, made.documents),
		Value: made.memory, Unit: "MB", Raw: r.small, Ratio: made.memory / r.small, Goal: fmt.Sprintf("≤ %d MB", rebuildMemory),
	}
	line.Met = line.Value <= rebuildMemory
	r.give(line)
	return nil
}

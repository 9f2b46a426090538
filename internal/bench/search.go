package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// searchTargets are what a search needs: nothing else is to disturb.
const searchTargets = "api,chat,search-indexer"

// searchRun is one engine with the log that is shared by all.
type searchRun struct {
	Options
	searchEngine

	data   string // of the server under test
	corpus *corpus
	there  int // conversations of the corpus in the log
	sample *searchSample
	give   func(Result)

	talks []string // that go on while it is measured
	small float64  // memory of a rebuild of the first part
}

// searching measures each search engine behind Tidemark beside the same engine by itself. First a backlog is caught up with
// and built anew, with nothing else to do; then the whole corpus is searched, also while it is built anew.
func searching(ctx context.Context, o Options, dir string, give func(Result)) (err error) {
	size := sizeOr(o, 1_000_000)
	engines, stop, err := searchEngines(ctx, o, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	data := filepath.Join(dir, "server")
	if err := prepare(ctx, o, data); err != nil {
		return err
	}
	c := newCorpus(max(2, size/talkMessages))
	first := max(1, size*3/10/talkEvents)
	runs := make([]*searchRun, len(engines))
	for i, e := range engines {
		runs[i] = &searchRun{Options: o, searchEngine: e, data: data, corpus: c, give: give}
	}
	from := 0
	for _, part := range []struct {
		upto    int
		measure func(*searchRun, context.Context, string) error
	}{{first, (*searchRun).backlog}, {len(c.ids), (*searchRun).whole}} {
		if err := c.seed(ctx, o, data, from, part.upto); err != nil {
			return err
		}
		from = part.upto
		sample, err := sampleDocuments(ctx, o, data, c.ids[:first])
		if err != nil {
			return err
		}
		for i, r := range runs {
			r.there, r.sample = part.upto, sample
			if err := part.measure(r, ctx, filepath.Join(dir, fmt.Sprintf("raw-%d-%d", i, part.upto))); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

// seed writes a part of the corpus. Of the first, which is measured, many conversations go on at a time.
func (c *corpus) seed(ctx context.Context, o Options, data string, from, upto int) error {
	atOnce := 200
	if from > 0 {
		atOnce = 50
	}
	_, _, err := seed(ctx, o, data, shape{
		conversations: upto - from, messages: talkMessages, atOnce: atOnce, ids: c.ids[from:upto],
		text: func(n, turn int) string { return c.text(from+n, turn) },
	})
	return err
}

// serve starts the server with this engine, and waits until search has everything.
func (r *searchRun) serve(ctx context.Context, flags ...string) (s *server, events uint64, took time.Duration, err error) {
	s, err = start(ctx, r.Options, r.data, append([]string{"--targets", searchTargets, "--search", r.at}, flags...)...)
	if err != nil {
		return nil, 0, 0, err
	}
	if events, took, err = r.caughtUp(ctx, s); err != nil {
		return nil, 0, 0, errors.Join(err, s.stop())
	}
	return s, events, took, nil
}

// caughtUp waits until search has everything, and tells how much that was from the first look on.
func (r *searchRun) caughtUp(ctx context.Context, s *server) (events uint64, took time.Duration, err error) {
	var began, said time.Time
	err = pollLag(ctx, s, []string{"search"}, func(lag uint64) bool {
		now := time.Now()
		if began.IsZero() {
			began, said, events = now, now, lag
		}
		if now.Sub(said) > 5*time.Second {
			said = now
			r.Say("%s: %d events behind", r.name, lag)
		}
		took = now.Sub(began)
		return lag == 0
	})
	if err != nil {
		return 0, 0, err
	}
	return events, took, r.complete(ctx, s)
}

// complete waits until each needle finds what it has to.
func (r *searchRun) complete(ctx context.Context, s *server) error {
	c, err := dial(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for i := range needles {
		var last error
		for began := time.Now(); ; {
			if last = r.asks(c, i); last == nil {
				break
			}
			if ctx.Err() != nil || time.Since(began) > 10*time.Second { // some refreshes
				return last
			}
		}
	}
	return nil
}

// backlog measures catching up, and building anew, on the first part of the corpus. The raw limits are measured before: an engine
// that has just been started is slower than the one that follows.
func (r *searchRun) backlog(ctx context.Context, dir string) error {
	perEvent, err := r.rawEvents(ctx, dir)
	if err != nil {
		return err
	}
	bulk, callers, err := r.rawBulk(ctx, dir)
	if err != nil {
		return err
	}
	r.Say("%s: catching up", r.name)
	s, events, took, err := r.serve(ctx)
	if err != nil {
		return err
	}
	built, err := r.rebuild(ctx, s)
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	r.small = built.memory
	if events == 0 || took == 0 {
		r.Say("%s: it had caught up before it could be looked at", r.name)
	} else {
		line := Result{
			What:  fmt.Sprintf("%s: catching up with a backlog of %d events", r.name, events),
			Value: float64(events) / took.Seconds(), Unit: "events/s", Raw: perEvent, Goal: "≥ 10 × each event as one write",
		}
		line.Ratio = line.Value / line.Raw
		line.Met = line.Ratio >= 10
		r.give(line)
	}
	line := Result{
		What:  fmt.Sprintf("%s: rebuild of %d conversations (raw: prepared, by %d callers)", r.name, built.documents, callers),
		Value: float64(built.written) / built.took.Seconds(), Unit: "documents/s", Raw: bulk, Goal: "≥ 0.8 × the engine's own batches",
	}
	line.Ratio = line.Value / line.Raw
	line.Met = line.Ratio >= 0.8
	r.give(line)
	return nil
}

// whole measures the whole corpus.
func (r *searchRun) whole(ctx context.Context, _ string) (err error) {
	r.Say("%s: indexing the rest", r.name)
	s, _, _, err := r.serve(ctx)
	if err != nil {
		return err
	}
	api, err := r.live(ctx, s)
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	if _, err := r.byItself(ctx, r.Span); err != nil { // an engine that was not asked for long is slower
		return err
	}
	service, err := r.byService(ctx)
	if err != nil {
		return err
	}
	raw, err := r.byItself(ctx, r.span(2))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("a word in 0.1 %% of %d messages, %d callers, ranked, all matches counted", r.there*talkMessages, readers)
	line := service.line(fmt.Sprintf("%s: %s, by the search service", r.name, what), raw)
	line.Goal = "≥ 0.8 × the engine's own HTTP API"
	line.Met = line.Ratio >= 0.8
	if r.fresh == 0 {
		line.Goal = "≥ 1,200/s, and ≥ 0.8 × the library by itself"
		line.Met = line.Met && line.Value >= 1200
	}
	r.give(line)
	line = api.line(r.name+": the same by GET /v1/search", raw)
	line.Goal = NoGoal
	r.give(line)
	return nil
}

func (l load) line(what string, raw load) Result {
	return Result{
		What: what, Value: l.perSecond(), Unit: "queries/s", Raw: raw.perSecond(), Ratio: l.perSecond() / raw.perSecond(),
		P50: l.ms(50), P99: l.ms(99),
	}
}

// query is a needle's.
func query(i int) (search.Request, search.Query, error) {
	r := search.Request{Org: benchOrg, Q: needles[i%len(needles)]}
	q, err := r.Parse()
	return r, q, err
}

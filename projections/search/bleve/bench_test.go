package bleve

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	blevesearch "github.com/blevesearch/bleve/v2"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

func openFor(tb testing.TB, log search.History) *indexes.Set {
	tb.Helper()
	c := Config{Dir: tb.TempDir(), Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions}
	e, err := OpenIndexes(tb.Context(), c, log, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// batchEvents is what the projection engine puts into one commit at most.
const batchEvents = 2048

// everyPartition runs fn for all partitions at once, as the projection engine does.
func everyPartition(tb testing.TB, fn func(partition int) error) {
	tb.Helper()
	var wg sync.WaitGroup
	for p := range searchtest.Partitions {
		wg.Go(func() {
			if err := fn(p); err != nil {
				tb.Errorf("partition %d: %v", p, err)
			}
		})
	}
	wg.Wait()
}

func fill(tb testing.TB, e *indexes.Set, log *searchtest.Log) {
	tb.Helper()
	everyPartition(tb, func(p int) error {
		s, err := e.Open(tb.Context(), p)
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(log.Of(p, 0), batchEvents) {
			c := projections.Commit{Events: batch, Progress: projections.Progress{Checkpoint: batch[len(batch)-1].Sequence}}
			if err := s.Commit(tb.Context(), c); err != nil {
				return err
			}
		}
		return s.Close(tb.Context())
	})
}

// BenchmarkIndex is catching up with a log of whole conversations, from events.
func BenchmarkIndex(b *testing.B) {
	log := &searchtest.Log{}
	talks := searchtest.Talks(b, 0)
	log.Import("org", talks)
	for b.Loop() {
		e := openFor(b, log)
		fill(b, e, log)
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(talks)*b.N)/b.Elapsed().Seconds(), "conversations/s")
}

// BenchmarkRawBatches is the same documents, prepared, in batches of as many, by as many writers: the limit.
func BenchmarkRawBatches(b *testing.B) {
	log := &searchtest.Log{}
	talks := searchtest.Talks(b, 0)
	log.Import("org", talks)
	of := make([][]*search.Document, searchtest.Partitions)
	for a, doc := range log.Fold(b) {
		p := a.Partition(searchtest.Partitions)
		of[p] = append(of[p], doc)
	}
	per := batchEvents * len(talks) / len(slices.Concat(log.Of(0, 0), log.Of(1, 0), log.Of(2, 0), log.Of(3, 0)))
	for b.Loop() {
		store, e := rawIndex(b)
		everyPartition(b, func(p int) error {
			for docs := range slices.Chunk(of[p], per) {
				batch := e.index.NewBatch()
				if err := add(batch, docs); err != nil {
					return err
				}
				if err := e.index.Batch(batch); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(e.Close(), store.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(talks)*b.N)/b.Elapsed().Seconds(), "conversations/s")
}

func rawIndex(b *testing.B) (*Store, *Engine) {
	b.Helper()
	store, err := Open(Config{Dir: b.TempDir(), Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := store.Create(b.Context(), 1, search.RoleServing); err != nil {
		b.Fatal(err)
	}
	return store, store.open[1]
}

func add(batch *blevesearch.Batch, docs []*search.Document) error {
	for _, d := range docs {
		prepared, err := encode(d)
		if err != nil {
			return err
		}
		if err := batch.IndexAdvanced(prepared); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkQuery(b *testing.B) {
	log := &searchtest.Log{}
	log.Import("org", searchtest.Talks(b, 0))
	e := openFor(b, log)
	fill(b, e, log)
	for name, q := range map[string]string{
		"rare": "bazille", "common": "restaurant", "two": "cheap restaurant", "phrase": `"phone number"`, "prefix": "restaur*", "filter": "status:open", "stopwords": "where is the restaurant",
	} {
		b.Run(name, func(b *testing.B) {
			r := search.Request{Org: "org", Q: q, Limit: 20}
			parsed, err := r.Parse()
			if err != nil {
				b.Fatal(err)
			}
			var total atomic.Uint64
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					res, err := e.Search(b.Context(), parsed)
					if err != nil {
						b.Error(err)
						return
					}
					total.Store(res.Total)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
			b.ReportMetric(float64(total.Load()), "matches")
		})
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLive is one message of a conversation that is there already, on disk and searchable.
func BenchmarkLive(b *testing.B) {
	log := &searchtest.Log{}
	talks := searchtest.Talks(b, 2000)
	log.Import("org", talks)
	e := openFor(b, log)
	fill(b, e, log)
	a := searchtest.Conversation("org", talks[0].ID)
	s, err := e.Open(b.Context(), a.Partition(searchtest.Partitions))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		list := log.Append(a, events.ConversationMessageReceived{MessageID: "m", Text: "and one more thing"})
		if err := s.Commit(b.Context(), projections.Commit{Events: list, Progress: projections.Progress{Checkpoint: list[0].Sequence}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// TestRealConversations: what was said is found where it was said.
func TestRealConversations(t *testing.T) {
	t.Parallel()
	n := 1000
	if testing.Short() {
		n = 100
	}
	log, talks := &searchtest.Log{}, searchtest.Talks(t, n)
	messages := log.Import("org", talks)
	e := openFor(t, log)
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	fill(t, e, log)
	counts, err := e.Count(t.Context(), search.CountRequest{Org: "org"})
	if err != nil || len(counts) != 1 || counts[0].Messages != uint64(messages) || counts[0].Conversations != uint64(len(talks)) {
		t.Fatalf("counts %+v (%v), want %d conversations with %d messages", counts, err, len(talks), messages)
	}
	for i := 0; i < len(talks); i += 10 {
		talk := talks[i]
		said := longest(talk)
		r := search.Request{Org: "org", Q: fmt.Sprintf("%q", strings.ReplaceAll(said, `"`, " ")), Limit: 100}
		q, err := r.Parse()
		if err != nil {
			t.Fatalf("%q: %v", r.Q, err)
		}
		res, err := e.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(res.Hits, func(h search.Hit) bool { return h.ConversationID == talk.ID })
		if at < 0 {
			t.Fatalf("%q does not find %s among %d", said, talk.ID, res.Total)
		}
		if len(res.Hits[at].Highlights) == 0 {
			t.Fatalf("%q: no highlight", said)
		}
	}
}

func longest(talk searchtest.Talk) string {
	out := ""
	for _, m := range talk.Messages {
		if len(m.Text) > len(out) {
			out = m.Text
		}
	}
	return out
}

package searchtest

import (
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
)

// Start opens an engine on a place that outlives it: the same place again finds what was committed. The caller of Start
// closes the engine.
type Start func(t testing.TB, place string, log search.History) search.Engine

// Open opens the indexes of a store.
func Open(tb testing.TB, store search.Store, log search.History) *indexes.Set {
	tb.Helper()
	set, err := indexes.Open(tb.Context(), store, log, Partitions, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatalf("open the indexes: %v", err)
	}
	return set
}

// Run holds an engine to its contract. Whoever writes an engine runs it from a test.
func Run(t *testing.T, start Start) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Start){
		"EqualsFold":       equalsFold,
		"StaleIsNothing":   staleIsNothing,
		"GapIsRead":        gapIsRead,
		"StateSurvives":    stateSurvives,
		"OneOwner":         oneOwner,
		"PartitionsAtOnce": partitionsAtOnce,
		"Unreadable":       unreadable,
		"Erased":           erased,
		"ErasedMerged":     erasedMerged,
		"ErasedTalk":       erasedConversation,
		"PurgedIsGone":     purgedIsGone,
		"Queries":          queries,
		"Confined":         confined,
		"Notes":            notes,
		"Highlights":       highlights,
		"Pages":            pages,
		"Counts":           counts,
		"Language":         language,
		"Dates":            dates,
		"Typos":            typos,
		"Facets":           facets,
		"TotalBound":       totalBound,
		"PagesHold":        pagesHold,
		"PagesEnd":         pagesEnd,
		"ForeignCursor":    foreignCursor,
		"Broad":            broad,
		"NoTime":           noTime,
		"Rebuilt":          rebuilt,
		"RebuildGoesOn":    rebuildGoesOn,
		"RebuildDiffers":   rebuildDiffers,
		"RebuildSteps":     rebuildSteps,
		"RebuildHeals":     rebuildHeals,
		"Forms":            forms,
		"Long":             long,
		"Customers":        customers,
		"CustomersGone":    customersGone,
		"Email":            email,
		"CustomersRebuilt": customersRebuilt,
		"Identifiers":      identifiers,
		"Scripts":          scripts,
		"Relevant":         relevant,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

// bundle is an engine on a log of its own.
type bundle struct {
	search.Engine
	log *Log
}

func setup(t *testing.T, start Start) *bundle {
	t.Helper()
	b := &bundle{log: &Log{}}
	b.Engine = start(t, t.TempDir(), b.log)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bundle) session(t *testing.T, partition int) projections.Session {
	t.Helper()
	s, err := b.Open(t.Context(), partition)
	if err != nil {
		t.Fatalf("open partition %d: %v", partition, err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	return s
}

func commit(t *testing.T, s projections.Session, list ...events.Recorded) {
	t.Helper()
	c := projections.Commit{Events: list, Progress: s.State().Progress}
	if len(list) > 0 {
		c.Progress.Checkpoint = max(c.Progress.Checkpoint, list[len(list)-1].Sequence)
	}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// equal compares the whole index with a fold of the whole log.
func equal(tb testing.TB, engine search.Engine, log *Log) {
	tb.Helper()
	compare(tb, engine, log, func(*search.Document) bool { return false })
}

// compare does so without the documents that are not to be found.
func compare(tb testing.TB, engine search.Engine, log *Log, gone func(*search.Document) bool) {
	tb.Helper()
	if err := engine.Refresh(tb.Context()); err != nil {
		tb.Fatalf("refresh: %v", err)
	}
	want := log.Fold(tb)
	for a, doc := range want {
		if gone(doc) {
			delete(want, a)
			doc = nil
		}
		got, err := engine.Document(tb.Context(), a.Org, a.ID)
		if err != nil {
			tb.Fatalf("document %s: %v", a, err)
		}
		if !reflect.DeepEqual(normal(got), normal(doc)) {
			tb.Fatalf("document %s:\n got %+v\nwant %+v", a, got, doc)
		}
	}
	if n, err := engine.Documents(tb.Context()); err != nil || n != uint64(len(want)) {
		tb.Fatalf("%d documents (%v), want %d", n, err, len(want))
	}
}

// normal makes empty and missing lists the same.
func normal(d *search.Document) *search.Document {
	if d == nil {
		return nil
	}
	c := d.Clone()
	c.Tags = append([]string{}, c.Tags...)
	c.Messages = append([]search.Message{}, c.Messages...)
	c.Notes = append([]search.Message{}, c.Notes...)
	return c
}

func equalsFold(t *testing.T, start Start) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		log := &Log{}
		place := t.TempDir()
		Fill(rt, log, 6, 25)
		engine := start(t, place, log)
		for range rapid.IntRange(0, 3).Draw(rt, "restarts") {
			log.Drive(t.Context(), t, engine, rapid.IntRange(1, 30).Draw(rt, "batch"))
			if err := engine.Close(); err != nil {
				rt.Fatalf("close: %v", err)
			}
			Fill(rt, log, 6, 5)
			engine = start(t, place, log)
		}
		log.Drive(t.Context(), t, engine, rapid.IntRange(1, 30).Draw(rt, "batch"))
		equal(t, engine, log)
		if err := engine.Close(); err != nil {
			rt.Fatalf("close: %v", err)
		}
	})
}

func staleIsNothing(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	a := Conversation("org", "one")
	list := b.log.Append(a, events.ConversationOpened{Subject: "first"}, events.ConversationSubjectSet{Subject: "second"}, events.ConversationTagged{Tag: "x"})
	s := b.session(t, list[0].Partition)
	commit(t, s, list...)
	commit(t, s, list[0])
	commit(t, s, list[:2]...)
	equal(t, b, b.log)
}

func gapIsRead(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	a := Conversation("org", "one")
	list := b.log.Append(a, events.ConversationOpened{Subject: "first"}, events.ConversationTagged{Tag: "x"}, events.ConversationTagged{Tag: "y"})
	s := b.session(t, list[0].Partition)
	commit(t, s, list[2]) // what came before is read from the conversation itself
	equal(t, b, b.log)
}

func stateSurvives(t *testing.T, start Start) {
	t.Helper()
	log, place := &Log{}, t.TempDir()
	engine := start(t, place, log)
	s, err := engine.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	parked := projections.Parked{Projection: "search", Partition: 1, Aggregate: Conversation("org", "p"), Sequence: 7, Error: "bad"}
	for _, c := range []projections.Commit{
		{Progress: projections.Progress{Checkpoint: 5}, Ahead: map[string]uint64{"a": 4, "b": 20, "c": 30}, Park: []projections.Parked{parked}},
		{Progress: projections.Progress{Checkpoint: 10, LiveFrom: 15, LiveThrough: 40}, Ahead: map[string]uint64{"c": 31}, Prune: true},
	} {
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	want := projections.State{
		Progress: projections.Progress{Checkpoint: 10, LiveFrom: 15, LiveThrough: 40},
		Ahead:    map[string]uint64{"b": 20, "c": 31},
		Parked:   map[string]projections.Parked{parked.Key(): parked},
	}
	if got := s.State(); !reflect.DeepEqual(got, want) {
		t.Fatalf("state %+v, want %+v", got, want)
	}
	if err := errors.Join(s.Close(t.Context()), engine.Close()); err != nil {
		t.Fatal(err)
	}
	again := &bundle{Engine: start(t, place, log), log: log}
	t.Cleanup(func() { _ = again.Close() })
	s = again.session(t, 1)
	if got := s.State(); !reflect.DeepEqual(got, want) {
		t.Fatalf("state after reopening %+v, want %+v", got, want)
	}
	if err := s.Commit(t.Context(), projections.Commit{Progress: want.Progress, Unpark: []string{parked.Key()}}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.State().Parked); n != 0 {
		t.Fatalf("%d parked keys after unparking", n)
	}
	if got := again.session(t, 2).State(); got.Progress.Checkpoint != 0 {
		t.Fatalf("another partition has progress %+v", got.Progress)
	}
}

func oneOwner(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	first := b.session(t, 0)
	if _, err := b.Open(t.Context(), 0); !errors.Is(err, projections.ErrHeld) {
		t.Fatalf("a second owner: %v", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := b.session(t, 0)
	if err := first.Commit(t.Context(), projections.Commit{}); !errors.Is(err, projections.ErrFenced) {
		t.Fatalf("a commit of the former owner: %v", err)
	}
	commit(t, second)
}

func partitionsAtOnce(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	for i := range 200 {
		a := Conversation("org", "conv"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		b.log.Append(a, events.ConversationOpened{Subject: "Hello"}, events.ConversationMessageReceived{MessageID: "m", Text: "anybody there"})
	}
	var wg sync.WaitGroup
	for p := range Partitions {
		wg.Go(func() {
			if err := b.log.drive(t.Context(), b, p, 7); err != nil {
				t.Errorf("partition %d: %v", p, err)
			}
		})
	}
	wg.Go(func() { // readers are not in the way, and see whole documents only
		for range 50 {
			res, err := b.Search(t.Context(), search.Query{Org: "org", Limit: 10, Sort: search.SortNewest})
			if err != nil {
				t.Errorf("search: %v", err)
			}
			for _, h := range res.Hits {
				if h.Subject != "Hello" {
					t.Errorf("hit %+v", h)
				}
			}
		}
	})
	wg.Wait()
	equal(t, b, b.log)
}

func unreadable(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	a := Conversation("org", "one")
	list := b.log.Append(a, events.ConversationOpened{Subject: "first"}, events.Unknown{Type: "conversation.new.v9"}, events.ConversationTagged{Tag: "x"})
	s := b.session(t, list[0].Partition)
	err := s.Commit(t.Context(), projections.Commit{Events: list[:2], Progress: projections.Progress{Checkpoint: 2}})
	if err == nil || errors.Is(err, projections.ErrTransient) || errors.Is(err, projections.ErrFenced) {
		t.Fatalf("an unreadable event: %v", err)
	}
	if doc, err := b.Document(t.Context(), "org", "one"); doc != nil || err != nil {
		t.Fatalf("part of a failed commit was written: %+v, %v", doc, err)
	}
	if got := s.State().Progress; got.Checkpoint != 0 {
		t.Fatalf("progress of a failed commit: %+v", got)
	}
	commit(t, s, list[0])
	commit(t, s, list[2]) // the one in between was dropped by an operator
	doc, err := b.Document(t.Context(), "org", "one")
	if err != nil || doc == nil || doc.Position != list[2].Sequence || len(doc.Tags) != 1 {
		t.Fatalf("after dropping it: %+v, %v", doc, err)
	}
}

func erased(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	theirs, other := Conversation("org", "one"), Conversation("org", "two")
	late := Conversation("org", "late")
	b.log.Append(theirs, events.ConversationOpened{CustomerID: "ann", Subject: "secret"})
	b.log.Append(other, events.ConversationOpened{CustomerID: "bob", Subject: "public"})
	b.log.Drive(t.Context(), t, b, 100)
	b.log.Append(events.Aggregate{Org: "org", Kind: events.KindCustomer, ID: "ann"}, events.CustomerErased{})
	b.log.Drive(t.Context(), t, b, 100)
	b.log.Append(late, events.ConversationOpened{CustomerID: "ann", Subject: "secret again"})
	b.log.Append(theirs, events.ConversationTagged{Tag: "x"})
	b.log.Drive(t.Context(), t, b, 100)
	res, err := b.Search(t.Context(), search.Query{Org: "org", Limit: 10, Sort: search.SortNewest})
	if err != nil || res.Total != 1 || res.Hits[0].ConversationID != "two" {
		t.Fatalf("after the erasure: %+v, %v", res, err)
	}
	if n, err := b.Documents(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d documents, %v", n, err)
	}
}

// erasedMerged: whoever went on in somebody who is erased is erased with them, whichever of it is heard of first, and also
// by an engine that was opened in between.
func erasedMerged(t *testing.T, start Start) {
	t.Helper()
	customer := func(id string) events.Aggregate {
		return events.Aggregate{Org: "org", Kind: events.KindCustomer, ID: id}
	}
	opened := func(by string) events.Event {
		return events.ConversationOpened{CustomerID: by, Subject: "of " + by}
	}
	steps := map[string]func(l *Log){
		"conversations": func(l *Log) {
			for _, by := range []string{"ann", "anna", "annie", "bob"} {
				l.Append(Conversation("org", "of-"+by), opened(by))
				l.Append(Conversation("other", "of-"+by), opened(by))
			}
		},
		"merges": func(l *Log) { // annie went on in anna, and anna in ann
			l.Append(customer("annie"), events.CustomerMerged{IntoID: "anna"})
			l.Append(customer("anna"), events.CustomerMerged{IntoID: "ann"})
		},
		"erasure": func(l *Log) { l.Append(customer("ann"), events.CustomerErased{Reason: "asked"}) },
	}
	for _, order := range [][]string{
		{"conversations", "merges", "erasure"},
		{"conversations", "erasure", "merges"},
		{"merges", "erasure", "conversations"},
		{"erasure", "conversations", "merges"},
		{"merges", "conversations", "erasure"},
	} {
		log, place := &Log{}, t.TempDir()
		engine := start(t, place, log)
		for i, step := range order {
			if i == 2 {
				if err := engine.Close(); err != nil {
					t.Fatal(err)
				}
				engine = start(t, place, log)
			}
			steps[step](log)
			log.Drive(t.Context(), t, engine, 2)
		}
		res, err := engine.Search(t.Context(), search.Query{Org: "org", Limit: 10, Sort: search.SortNewest})
		if err != nil || res.Total != 1 || res.Hits[0].ConversationID != "of-bob" {
			t.Errorf("%v: %+v, %v", order, res, err)
		}
		if n, err := engine.Documents(t.Context()); n != 5 || err != nil {
			t.Errorf("%v: %d documents, %v; the other org has four", order, n, err)
		}
		log.Append(Conversation("org", "late"), opened("annie"))
		log.Drive(t.Context(), t, engine, 2)
		if doc, err := engine.Document(t.Context(), "org", "late"); doc != nil || err != nil {
			t.Errorf("%v: opened later: %+v, %v", order, doc, err)
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// erasedConversation: a conversation's own tombstone is enough, and what precedes it may be gone from the log.
func erasedConversation(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	known, unknown, other := Conversation("org", "known"), Conversation("org", "unknown"), Conversation("org", "other")
	b.log.Append(known, events.ConversationOpened{CustomerID: "ann", Subject: "secret"})
	b.log.Append(other, events.ConversationOpened{CustomerID: "bob", Subject: "public"})
	b.log.Drive(t.Context(), t, b, 100)
	list := b.log.Append(unknown, events.ConversationOpened{CustomerID: "ann", Subject: "secret"}, events.ConversationTagged{Tag: "x"})
	for _, a := range []events.Aggregate{known, unknown} {
		stone := b.log.Append(a, events.ConversationErased{Reason: "customer_erased"})[0]
		b.log.PurgeBefore(a, stone.Sequence)
	}
	s := b.session(t, list[0].Partition)
	commit(t, s, list[1]) // it was on its way when the purge came
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.log.Drive(t.Context(), t, b, 100)
	equal(t, b, b.log)
	res, err := b.Search(t.Context(), search.Query{Org: "org", Limit: 10, Sort: search.SortNewest})
	if err != nil || res.Total != 1 || res.Hits[0].ConversationID != "other" {
		t.Fatalf("after the erasure: %+v, %v", res, err)
	}
}

func purgedIsGone(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	a := Conversation("org", "one")
	list := b.log.Append(a, events.ConversationOpened{Subject: "first"}, events.ConversationTagged{Tag: "x"}, events.ConversationTagged{Tag: "y"})
	s := b.session(t, list[0].Partition)
	commit(t, s, list[0])
	b.log.Purge(a)
	commit(t, s, list[2]) // was on its way when the conversation was purged
	equal(t, b, b.log)
}

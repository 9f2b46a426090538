package searchtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// pagesHold goes through the pages of a search while others write: what nobody touched comes exactly once, and nothing comes
// twice. Each write also changes how rare words are, and so the scores of everything.
func pagesHold(t *testing.T, start Start) {
	t.Helper()
	for _, sort := range []search.Sort{search.SortRelevance, search.SortNewest, search.SortOldest} {
		b := setup(t, start)
		untouched := map[string]bool{}
		for i := range 40 {
			id := fmt.Sprintf("c%02d", i)
			untouched[id] = true
			b.log.Append(Conversation("org", id), events.ConversationOpened{Subject: "ticket" + strings.Repeat(" word", i%7)},
				said("m", strings.Repeat("ticket ", 1+i%5)+strings.Repeat("parcel ", i%3)))
		}
		b.log.Drive(t.Context(), t, b, 100)
		times := map[string]int{}
		r := search.Request{Q: "ticket OR parcel", Sort: sort, Limit: 7}
		for page := 0; ; page++ {
			if page > 20 {
				t.Fatalf("%s: the pages do not end", sort)
			}
			a := b.find(t, r)
			for _, id := range idsOf(a.Items) {
				times[id]++
			}
			if r.Cursor = a.Next; r.Cursor == "" {
				break
			}
			// One that was told, one that was not, and new ones change between the pages.
			for _, id := range []string{a.Items[0].ConversationID, fmt.Sprintf("c%02d", (page*13)%40)} {
				delete(untouched, id)
				b.log.Append(Conversation("org", id), said(fmt.Sprintf("p%d", page), strings.Repeat("ticket parcel ", 9)))
			}
			for i := range 3 {
				b.log.Append(Conversation("org", fmt.Sprintf("new-%d-%d", page, i)), events.ConversationOpened{Subject: "parcel parcel word"})
			}
			b.log.Drive(t.Context(), t, b, 100)
		}
		for id, n := range times {
			if n > 1 {
				t.Errorf("%s: %s came %d times", sort, id, n)
			}
		}
		for id := range untouched {
			if times[id] != 1 {
				t.Errorf("%s: %s, which nobody touched, came %d times", sort, id, times[id])
			}
		}
		if len(untouched) < 10 {
			t.Fatalf("%s: only %d were left alone", sort, len(untouched))
		}
	}
}

func totalBound(t *testing.T, start Start) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: indexes 10,001 conversations")
	}
	b := setup(t, start)
	for i := range search.TotalBound {
		b.log.Append(Conversation("org", fmt.Sprintf("c%05d", i)), events.ConversationOpened{Subject: "ticket", Channel: events.ChannelChat})
	}
	b.log.Drive(t.Context(), t, b, 5000)
	r := search.Request{Q: "ticket", Limit: 1, Facets: []string{"channel"}}
	if a := b.find(t, r); a.Total != search.TotalBound || a.AtLeast {
		t.Errorf("as many as are counted: %d, at least %t", a.Total, a.AtLeast)
	}
	b.log.Append(Conversation("org", "more"), events.ConversationOpened{Subject: "ticket", Channel: events.ChannelChat})
	b.log.Drive(t.Context(), t, b, 5000)
	for _, sort := range []search.Sort{search.SortRelevance, search.SortNewest} {
		r.Sort = sort
		a := b.find(t, r)
		if a.Total != search.TotalBound || !a.AtLeast {
			t.Errorf("%s: one more than are counted: %d, at least %t", sort, a.Total, a.AtLeast)
		}
		if want := []search.FacetValue{{Value: "chat", Count: search.TotalBound + 1}}; !slices.Equal(a.Facets["channel"].Values, want) {
			t.Errorf("%s: facets are of all matches: %+v", sort, a.Facets)
		}
	}
}

// pagesEnd goes as deep as pages by relevance go, and is told why there are no more.
func pagesEnd(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	for i := range search.MaxRanked + 150 {
		b.log.Append(Conversation("org", fmt.Sprintf("c%04d", i)), events.ConversationOpened{Subject: "ticket"})
	}
	b.log.Drive(t.Context(), t, b, 2000)
	r := search.Request{Org: "org", Q: "ticket", Limit: search.MaxLimit}
	seen := map[string]bool{}
	for {
		q, err := r.Parse()
		if err != nil {
			if fault.CodeOf(err) != "page_too_deep" || fault.KindOf(err) != fault.Invalid || len(seen) != search.MaxRanked {
				t.Fatalf("after %d: %v", len(seen), err)
			}
			return
		}
		a, err := r.Find(t.Context(), b, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range idsOf(a.Items) {
			if seen[id] {
				t.Fatalf("%s came twice", id)
			}
			seen[id] = true
		}
		if r.Cursor = a.Next; r.Cursor == "" || len(r.Cursor) > search.MaxCursor {
			t.Fatalf("after %d: a cursor of %d characters", len(seen), len(r.Cursor))
		}
	}
}

// foreignCursor carries a cursor to another org, as it is and made to fit.
func foreignCursor(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	for i := range 3 {
		b.log.Append(Conversation("theirs", fmt.Sprintf("t%d", i)), events.ConversationOpened{Subject: "ticket"})
		b.log.Append(Conversation("mine", fmt.Sprintf("m%d", i)), events.ConversationOpened{Subject: "ticket"})
	}
	b.log.Drive(t.Context(), t, b, 100)
	for _, sort := range []search.Sort{search.SortRelevance, search.SortNewest, search.SortOldest} {
		theirs := search.Request{Org: "theirs", Q: "ticket", Sort: sort, Limit: 1}
		mine := theirs
		mine.Org, mine.Cursor = "mine", b.find(t, theirs).Next
		if _, err := mine.Parse(); fault.CodeOf(err) != "cursor_mismatch" {
			t.Errorf("%s: a cursor of another org: %v", sort, err)
		}
		// Whoever knows how cursors are made goes on from another org's conversation, in their own.
		mine.Cursor = ""
		q, err := mine.Parse()
		if err != nil {
			t.Fatal(err)
		}
		q.Limit = 10
		q.After = &search.After{ID: "../theirs/t0", Seen: search.Seen{}.With([]search.Hit{{ConversationID: "m1"}})}
		res, err := b.Search(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", sort, err)
		}
		for _, id := range idsOf(res.Hits) {
			if !strings.HasPrefix(id, "m") {
				t.Errorf("%s: a forged cursor leads to %s", sort, id)
			}
		}
	}
}

// broad asks for a prefix that stands for more words than one query may.
func broad(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	var text strings.Builder
	for i := range search.MaxExpansion + 100 {
		fmt.Fprintf(&text, "zz%dq ", i)
	}
	b.log.Append(Conversation("org", "wide"), events.ConversationOpened{Subject: "wide"}, said("1", text.String()))
	b.log.Drive(t.Context(), t, b, 100)
	for _, q := range []string{"zz*", "wide -zz*", "wide OR zz*"} {
		r := search.Request{Org: "org", Q: q}
		parsed, err := r.Parse()
		if err != nil {
			t.Fatal(err)
		}
		if res, err := r.Find(t.Context(), b, parsed); fault.CodeOf(err) != "query_too_costly" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %+v, %v", q, res, err)
		}
	}
	if got := b.found(t, search.Request{Q: "zz9*"}); !slices.Equal(got, []string{"wide"}) {
		t.Errorf("a prefix of fewer words found %v", got)
	}
}

// noTime asks with no time left: that is an error, never an empty answer.
func noTime(t *testing.T, start Start) {
	t.Helper()
	b := desk(t, start)
	q, err := search.Request{Org: "org", Q: "router"}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res, err := b.Search(ctx, q); err == nil {
		t.Errorf("an answer without time: %+v", res)
	}
}

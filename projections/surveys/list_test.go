package surveys

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/keyset"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
)

// TestList: the newest first, each filter alone and several together, in pages of any size, and nothing of another org.
func TestList(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	l := &modeltest.Log{}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	add := func(org, id string, hour int, agent, queue, channel string, score int) {
		l.Conversation(org, id, events.ConversationSurveyRequested{SurveyID: "s-" + id, Closing: 1, ChannelID: channel, QueueID: queue, AgentID: agent})
		l.Events[len(l.Events)-1].Time = noon.Add(time.Duration(hour) * time.Hour)
		if score > 0 {
			l.Conversation(org, id, events.ConversationSurveyAnswered{SurveyID: "s-" + id, Score: score, Comment: "comment of " + id})
		}
	}
	add("acme", "a", 0, "ann", "q1", "site", 5)
	add("acme", "b", 1, "bob", "q1", "site", 1)
	add("acme", "c", 1, "ann", "q2", "shop", 3) // at the same time
	add("acme", "d", 1, "", "", "shop", 0)
	add("acme", "e", 2, "ann", "q1", "site", 4)
	add("acme", "f", 3, "bob", "q2", "site", 0)
	l.Conversation("acme", "f", events.ConversationSurveyExpired{SurveyID: "s-f"})
	add("acme", "g", 4, "bob", "q2", "site", 2)
	l.Conversation("acme", "g", events.ConversationErased{Reason: "asked"})
	add("other", "h", 1, "ann", "q1", "site", 5)
	if err := modeltest.Apply(t.Context(), pool, Projection{}, l.Events); err != nil {
		t.Fatal(err)
	}
	reader := NewReader(pool)
	for _, c := range []struct {
		q    ListQuery
		want string
	}{
		{ListQuery{}, "f e d c b a"},
		{ListQuery{Status: "answered"}, "e c b a"},
		{ListQuery{Status: "waiting"}, "d"},
		{ListQuery{Status: "expired"}, "f"},
		{ListQuery{Conversation: "c"}, "c"},
		{ListQuery{Agent: "ann"}, "e c a"},
		{ListQuery{Agent: None}, "d"},
		{ListQuery{Queue: "q1"}, "e b a"},
		{ListQuery{Queue: None}, "d"},
		{ListQuery{Channel: "shop"}, "d c"},
		{ListQuery{LowestScore: 4}, "e a"},
		{ListQuery{HighestScore: 3}, "c b"},
		{ListQuery{LowestScore: 3, HighestScore: 4}, "e c"},
		{ListQuery{From: noon.Add(time.Hour)}, "f e d c b"},
		{ListQuery{To: noon.Add(time.Hour)}, "a"},
		{ListQuery{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour), Agent: "ann"}, "c"},
		{ListQuery{Agent: "nobody"}, ""},
		{ListQuery{Agent: "a\x00' OR 1=1 --"}, ""},
	} {
		for limit := 1; limit <= 7; limit++ {
			var got []string
			q := c.q
			q.Limit = limit
			for {
				page, err := reader.List(t.Context(), "acme", q)
				if err != nil || len(page.Items) > limit {
					t.Fatalf("%+v: %d items, %v", q, len(page.Items), err)
				}
				for _, s := range page.Items {
					got = append(got, s.ConversationID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%+v by %d: %q, want %q", c.q, limit, got, c.want)
			}
		}
	}
	page, err := reader.List(t.Context(), "acme", ListQuery{Conversation: "e"})
	want := Survey{
		ID: "s-e", ConversationID: "e", ChannelID: "site", QueueID: "q1", AgentID: "ann", Status: "answered", Asked: true,
		Score: 4, Comment: "comment of e", DecidedAt: noon.Add(2 * time.Hour),
	}
	if err != nil || len(page.Items) != 1 || page.Items[0] != want || page.Next != "" {
		t.Errorf("%+v, want %+v: %v", page, want, err)
	}
	for name, c := range map[string]struct {
		q   ListQuery
		err error
	}{
		"no cursor":       {ListQuery{Cursor: "x"}, keyset.ErrInvalid},
		"of another list": {ListQuery{Cursor: keyset.Encode("inbox -updated_at", "1", "a")}, keyset.ErrMismatch},
		"no time":         {ListQuery{Cursor: keyset.Encode(listOrder, "noon", "a")}, keyset.ErrInvalid},
		"beyond time":     {ListQuery{Cursor: keyset.Encode(listOrder, "4611686018427387904", "a")}, keyset.ErrInvalid},
		"no id":           {ListQuery{Cursor: keyset.Encode(listOrder, "1", "a.b")}, keyset.ErrInvalid},
		"too many":        {ListQuery{Limit: 101}, keyset.ErrLimit},
	} {
		if _, err := reader.List(t.Context(), "acme", c.q); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

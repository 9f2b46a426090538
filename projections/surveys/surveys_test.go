package surveys

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
	"github.com/tidemark-desk/tidemark/projections/surveys/db"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func table(ctx context.Context, pool *pgxpool.Pool) (map[string]db.Survey, error) {
	rows, err := pool.Query(ctx, "SELECT * FROM surveys")
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.Survey])
	out := map[string]db.Survey{}
	for _, s := range list {
		s.DecidedAt = s.DecidedAt.UTC()
		out[s.Org+"/"+s.ID] = s
	}
	return out, err
}

// life draws what may happen to the surveys of a conversation, in an order that its decider allows.
func life(t *rapid.T, l *modeltest.Log, org, id string) {
	for n := range rapid.IntRange(0, 3).Draw(t, "closings") {
		survey := fmt.Sprintf("%s-%d", id, n+1)
		l.Conversation(org, id, events.ConversationClosed{Reason: "solved"})
		excused := events.ConversationSurveyExcused{SurveyID: survey, Closing: n + 1, Reason: "reopened", ChannelID: "site", QueueID: "q", AgentID: "ann"}
		if rapid.Bool().Draw(t, "late") {
			l.Conversation(org, id, events.ConversationReopened{Reason: "x"}, excused)
			continue
		}
		l.Conversation(org, id, events.ConversationSurveyRequested{SurveyID: survey, Closing: n + 1, ChannelID: "site", QueueID: "q", AgentID: "ann"})
		switch rapid.IntRange(0, 3).Draw(t, "end") {
		case 1:
			for range rapid.IntRange(1, 2).Draw(t, "answers") {
				score := rapid.IntRange(1, 5).Draw(t, "score")
				l.Conversation(org, id, events.ConversationSurveyAnswered{SurveyID: survey, Score: score, Comment: fmt.Sprintf("a\x00%d", score)})
			}
		case 2:
			l.Conversation(org, id, events.ConversationSurveyExpired{SurveyID: survey})
		case 3:
			l.Conversation(org, id, events.ConversationReopened{Reason: "x"}, excused)
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "erased") == 0 {
		l.Conversation(org, id, events.ConversationErased{Reason: "asked"})
	}
}

// However the log is cut into batches, the rows are the same; of an erased conversation nothing is left, and what the log
// has left of it gives the same rows.
func TestRowsDependOnTheLogAlone(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		l := &modeltest.Log{}
		for _, org := range []string{"acme", "other"} {
			for _, id := range []string{"a", "b", "c"} {
				life(t, l, org, id)
			}
		}
		apply := func(stream []events.Recorded, size func() int) map[string]db.Survey {
			if err := modeltest.Empty(ctx, pool, "surveys"); err != nil {
				t.Fatal(err)
			}
			for len(stream) > 0 {
				n := min(size(), len(stream))
				if err := modeltest.Apply(ctx, pool, Projection{}, stream[:n]); err != nil {
					t.Fatal(err)
				}
				stream = stream[n:]
			}
			rows, err := table(ctx, pool)
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		whole := apply(l.Events, func() int { return len(l.Events) })
		cut := apply(l.Events, func() int { return rapid.IntRange(1, 5).Draw(t, "batch") })
		if !maps.Equal(whole, cut) {
			t.Fatalf("cut %+v\nwhole %+v", cut, whole)
		}
		stones := map[events.Aggregate]uint64{}
		decided := map[string]bool{}
		for _, r := range l.Events {
			if _, erased := r.Event.(events.ConversationErased); erased {
				stones[r.Aggregate] = r.Sequence
			}
			if id := surveyID(r.Event); id != "" {
				decided[r.Org+"/"+id] = true
			}
		}
		left := slices.DeleteFunc(slices.Clone(l.Events), func(r events.Recorded) bool { return r.Sequence < stones[r.Aggregate] })
		if rebuilt := apply(left, func() int { return rapid.IntRange(1, 5).Draw(t, "batch") }); !maps.Equal(whole, rebuilt) {
			t.Fatalf("rebuilt %+v\nwhole %+v", rebuilt, whole)
		}
		for _, row := range whole {
			if _, gone := stones[events.Aggregate{Org: row.Org, Kind: events.KindConversation, ID: row.ConversationID}]; gone {
				t.Fatalf("%s is still there", row.ID)
			}
		}
		for name := range decided {
			row, there := whole[name]
			_, gone := stones[events.Aggregate{Org: name[:len(name)-4], Kind: events.KindConversation, ID: name[len(name)-3 : len(name)-2]}]
			if there == gone || there && row.AgentID != "ann" {
				t.Fatalf("%s: there %t, erased %t: %+v", name, there, gone, row)
			}
		}
	})
}

func TestSatisfaction(t *testing.T) {
	t.Parallel()
	pool := modeltest.Pool(t, Projection{})
	l := &modeltest.Log{}
	at := func(when time.Time, id, agent string, ends ...events.Event) {
		l.Conversation("acme", id, events.ConversationSurveyRequested{SurveyID: "s-" + id, Closing: 1, ChannelID: "site", QueueID: "q-" + agent, AgentID: agent})
		l.Events[len(l.Events)-1].Time = when
		l.Conversation("acme", id, ends...)
	}
	scored := func(id string, scores ...int) (out []events.Event) {
		for _, score := range scores {
			out = append(out, events.ConversationSurveyAnswered{SurveyID: "s-" + id, Score: score})
		}
		return out
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	night := time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC) // the next day in Berlin
	at(noon, "a", "ann", scored("a", 5)...)
	at(noon, "b", "ann", scored("b", 1, 4)...) // changed
	at(night, "c", "ann", scored("c", 3)...)
	at(night, "d", "bob", events.ConversationSurveyExpired{SurveyID: "s-d"})
	at(night, "e", "", events.ConversationSurveyExcused{SurveyID: "s-e", Closing: 1, Reason: "reopened"})
	at(night, "f", "bob")
	l.Conversation("acme", "g", events.ConversationSurveyExcused{SurveyID: "s-g", Closing: 1, Reason: "merged", ChannelID: "site", AgentID: "bob"})
	l.Events[len(l.Events)-1].Time = night
	l.Conversation("other", "h", events.ConversationSurveyRequested{SurveyID: "s-h", Closing: 1})
	if err := modeltest.Apply(t.Context(), pool, Projection{}, l.Events); err != nil {
		t.Fatal(err)
	}
	first := Group{Asked: 2, Answered: 2, Satisfied: 2, Points: 9}
	named := func(g Group, name string) Group { g.Name = name; return g }
	for _, c := range []struct {
		name string
		q    Query
		want []Group
	}{
		{"days of UTC", Query{GroupBy: ByDay, Timezone: "UTC"}, []Group{
			{Name: "2026-03-01", Asked: 6, Waiting: 1, Answered: 3, Expired: 1, Excused: 2, Satisfied: 2, Points: 12},
		}},
		{"days of Berlin", Query{GroupBy: ByDay, Timezone: "Europe/Berlin"}, []Group{
			named(first, "2026-03-01"), {Name: "2026-03-02", Asked: 4, Waiting: 1, Answered: 1, Expired: 1, Excused: 2, Points: 3},
		}},
		{"agents", Query{GroupBy: ByAgent}, []Group{
			{Asked: 1, Excused: 1},
			{Name: "ann", Asked: 3, Answered: 3, Satisfied: 2, Points: 12},
			{Name: "bob", Asked: 2, Waiting: 1, Expired: 1, Excused: 1},
		}},
		{"until the night", Query{GroupBy: ByChannel, To: night}, []Group{named(first, "site")}},
		{"from the night on", Query{GroupBy: ByQueue, From: night}, []Group{
			{Excused: 1}, {Name: "q-", Asked: 1, Excused: 1}, {Name: "q-ann", Asked: 1, Answered: 1, Points: 3}, {Name: "q-bob", Asked: 2, Waiting: 1, Expired: 1},
		}},
		{"of another time", Query{GroupBy: ByAgent, From: night.Add(time.Hour)}, []Group{}},
	} {
		if c.q.Timezone == "" {
			c.q.Timezone = "UTC"
		}
		r, err := NewReader(pool).Satisfaction(t.Context(), "acme", c.q)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Groups, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, r.Groups, c.want)
		}
		var total Group
		for _, g := range c.want {
			total.add(g)
		}
		if r.Total != total {
			t.Errorf("%s: in all %+v, want %+v", c.name, r.Total, total)
		}
	}
	if percent, ok := (Group{Answered: 3, Satisfied: 2, Points: 12}).CSAT(); !ok || percent < 66.6 || percent > 66.7 {
		t.Errorf("%f of a hundred", percent)
	}
	if _, ok := (Group{Asked: 3}).CSAT(); ok {
		t.Error("nobody has answered")
	}
}

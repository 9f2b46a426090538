package api_test

import (
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/projections/surveys"
	"github.com/tidemark-desk/tidemark/services/api"
)

func TestListSurveys(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v := &visitors{page: surveys.Page{Next: "more", Items: []surveys.Survey{
		{ID: "s2", ConversationID: "c2", ChannelID: "site", QueueID: "q1", AgentID: "ann", Status: "answered", Asked: true, Score: 2, Comment: "slow", DecidedAt: noon},
		{ID: "s1", ConversationID: "c1", ChannelID: "site", Status: "excused", DecidedAt: noon},
	}}}
	b := setup(t, func(_ *bundle, d *api.Deps) { d.Reads.Surveys = v })
	const path = "/v1/surveys"
	got := b.ok(200, "GET", path+"?agent=me&queue=none&channel=site&conversation=c2&min_score=1&max_score=3&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&limit=2", b.acme.userKey, nil)
	want := surveys.ListQuery{
		Status: "answered", Conversation: "c2", Agent: b.acme.agent, Queue: "none", Channel: "site", LowestScore: 1, HighestScore: 3,
		From: noon.Add(-12 * time.Hour), To: noon.Add(12 * time.Hour), Limit: 2,
	}
	if v.org != "acme" || v.listed != want {
		t.Errorf("%s was asked for %+v, want %+v", v.org, v.listed, want)
	}
	for field, want := range map[string]any{
		"items.0.id": "s2", "items.0.conversation_id": "c2", "items.0.channel_id": "site", "items.0.queue_id": "q1", "items.0.agent_id": "ann",
		"items.0.status": "answered", "items.0.asked": true, "items.0.score": 2.0, "items.0.comment": "slow", "items.0.decided_at": "2026-03-01T12:00:00Z",
		"items.1.queue_id": nil, "items.1.agent_id": nil, "items.1.score": nil, "items.1.asked": false, "items.1.comment": "",
	} {
		if v := got.get(field); v != want {
			t.Errorf("%s is %v, want %v: %s", field, v, want, got.raw)
		}
	}
	if got.str("as_of.position") == "" {
		t.Errorf("nothing tells how fresh it is: %s", got.raw)
	}
	if b.ok(200, "GET", got.str("links.next"), b.acme.userKey, nil); v.listed.Cursor != "more" || v.listed.Agent != b.acme.agent {
		t.Errorf("the next page is of %+v", v.listed)
	}
	if b.ok(200, "GET", path+"?status=any", b.other.userKey, nil); v.org != "other" || v.listed != (surveys.ListQuery{Limit: 25}) {
		t.Errorf("%s was asked for %+v", v.org, v.listed)
	}
	for _, query := range []string{
		"status=lost", "min_score=0", "max_score=6", "min_score=x", "min_score=4&max_score=3", "limit=101", "from=yesterday", "mood=bad",
		"to=2026-03-01T00:00:00Z&from=2026-03-01T00:00:00Z", "min_position=x",
	} {
		b.refused(422, "validation_failed", "GET", path+"?"+query, b.acme.userKey, nil)
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// A visitor is asked when the conversation is closed, answers, and the report and the ledger know. Without its timer a
// survey would never end, and the ledger says so.
func TestSurveyFromClosingToLedger(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: builds and runs the whole program")
	}
	database := testkit.Postgres(t)
	s := serve(t, "--postgres", database)
	site := s.OK(t, "GET", "/v1/channels", nil).Str("items.0.id")
	s.OK(t, "PUT", "/v1/channels/"+site+"/survey", map[string]any{"enabled": true, "question": "How was it?"})
	closes := func() (visitor *testkit.Client, survey string) {
		t.Helper()
		session := s.With("").OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey})
		visitor = s.With(session.Str("token"))
		id := visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m1", "text": "Hello"}).Str("conversation_id")
		s.OK(t, "PUT", "/v1/conversations/"+id+"/status", map[string]any{"status": "closed"})
		testkit.Until(t, "she is asked", func() bool {
			survey = visitor.OK(t, "GET", "/chat/v1/messages", nil).Str("survey.id")
			return survey != ""
		})
		return visitor, survey
	}
	visitor, survey := closes()
	position := visitor.OK(t, "POST", "/chat/v1/surveys/"+survey, map[string]any{"score": 5, "comment": "quick"}).Str("position")
	report := s.OK(t, "GET", "/v1/reports/satisfaction?group_by=channel&min_position="+position, nil)
	if report.Str("items.0.group") != site || report.Get("items.0.csat") != 100.0 {
		t.Errorf("report: %s", report.Raw)
	}
	answers := s.OK(t, "GET", "/v1/surveys?min_score=4&channel="+site, nil)
	if answers.Str("items.0.id") != survey || answers.Get("items.0.score") != 5.0 || answers.Str("items.0.comment") != "quick" {
		t.Errorf("answers: %s", answers.Raw)
	}
	closes()
	ledger := func() testkit.Result {
		t.Helper()
		return tidemark(t).Run(t, "ledger", "--data", s.Data, "--models", "survey")
	}
	if r := ledger(); r.Code != exitOK || !strings.Contains(r.Stdout, "2 owed: 1 waiting, 1 answered") {
		t.Errorf("ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "DELETE FROM tidemark.intents WHERE projection = 'survey'"); err != nil {
		t.Fatal(err)
	}
	if r := ledger(); r.Code != exitFailed || !strings.Contains(r.Stdout, "has no timer") {
		t.Errorf("ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

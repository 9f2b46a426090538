package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestErasure erases two customers of a whole server, one of them while it is killed: afterwards nothing shows them, every
// account is whole, every read model equals its replay, and nothing of them is left in the log.
func TestErasure(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	args := []string{"--postgres", testkit.Postgres(t)}
	s := serve(t, args...)
	s.OK(t, "PUT", "/v1/agents/me/presence", map[string]any{"presence": "online"})
	personal := []string{"berg", "confession", "4930901820"}

	// Ann writes over the chat, Zoe by email, in two conversations; Bob stays.
	session := s.With("").OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": "demo-site", "name": "Ann Berg", "email": "ann.berg@example.com"})
	visitor := s.With(session.Str("token"))
	chat := visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m1", "text": "A confession over the chat."}).Str("conversation_id")
	write := func(name, email, text string) (customer, conversation string) {
		t.Helper()
		a := s.OK(t, "POST", "/v1/conversations", map[string]any{
			"channel": "email", "subject": "About " + text, "message": map[string]any{"text": text},
			"customer": map[string]any{"name": name, "email": email, "phone": map[bool]string{true: "+49 30 901820"}[name != "Bob"]},
		})
		return a.Str("customer_id"), a.Str("id")
	}
	zoe, first := write("Zoe Berg", "zoe.berg@example.com", "my confession")
	_, second := write("Zoe Berg", "zoe.berg@example.com", "another confession")
	bob, kept := write("Bob", "bob@example.com", "a question")
	s.OK(t, "POST", "/v1/conversations/"+first+"/messages", map[string]any{"text": "Thank you for your confession, Mrs Berg."})
	last := s.OK(t, "POST", "/v1/conversations/"+second+"/notes", map[string]any{"text": "What a confession!"}).Str("position")
	if found := s.OK(t, "GET", "/v1/search?q=confession&min_position="+last, nil); !strings.Contains(string(found.Raw), first) {
		t.Fatalf("search does not find it: %s", found.Raw)
	}
	caughtUp(t, s)
	ann := s.OK(t, "GET", "/v1/conversations/"+chat, nil).Str("customer_id")

	erase := func(id string) string {
		t.Helper()
		r := tidemark(t).Run(t, "customer", "erase", id, "--json", "--data", s.Data)
		var e erasureState
		if err := json.Unmarshal([]byte(r.Stdout), &e); err != nil || r.Code != exitOK || e.Status != "done" {
			t.Fatalf("erase %s ended with %d, %v:\n%s%s", id, r.Code, err, r.Stdout, r.Stderr)
		}
		return e.Position
	}
	position := erase(ann)
	asked := s.OK(t, "DELETE", "/v1/customers/"+zoe, nil)
	s.Kill()
	s = tidemark(t).Serve(t, s.Data, args...)
	if again := erase(zoe); again != asked.Str("position") {
		t.Errorf("after the kill it stands at %s, was %s", again, asked.Str("position"))
	}
	caughtUp(t, s)
	checkErased(t, s, map[string][]string{ann: {chat}, zoe: {first, second}}, position)
	if a, err := s.With(session.Str("token")).Do(t.Context(), "GET", "/chat/v1/messages", nil); err != nil || a.Status != 401 || a.Str("code") != "session_erased" {
		t.Errorf("the chat of who was erased: %d %s %v", a.Status, a.Raw, err)
	}
	if got := s.OK(t, "GET", "/v1/conversations/"+kept, nil); got.Str("customer_id") != bob || got.Str("messages.items.0.text") != "a question" {
		t.Errorf("somebody else's conversation: %s", got.Raw)
	}
	// Her address is free, and what she once sent cannot be sent again under its old name.
	if next, _ := write("Bob", "zoe.berg@example.com", "I have this address now"); next == zoe {
		t.Error("the address still leads to who was erased")
	}
	caughtUp(t, s)

	account := tidemark(t).Run(t, "ledger", "--json", "--data", s.Data)
	var report ledgerReport
	if err := json.Unmarshal([]byte(account.Stdout), &report); err != nil || account.Code != exitOK || report.HolesTotal != 0 {
		t.Errorf("the ledger ends with %d, %v:\n%s%s", account.Code, err, account.Stdout, account.Stderr)
	}
	for _, row := range report.Rows {
		if row.Inbox == nil || row.Accepted.Messages != row.Inbox.Messages+row.Excused.Messages {
			t.Errorf("the row of %s does not add up: %+v", row.Channel, row)
		}
	}
	for _, model := range shownModels {
		s.OK(t, "POST", "/v1/admin/projections/"+model+"/rebuild", nil)
	}
	for _, model := range shownModels {
		rebuildComesTo(t, s, model, "ready")
		s.OK(t, "POST", "/v1/admin/projections/"+model+"/compare", nil)
	}
	for _, model := range shownModels {
		if got := rebuildComesTo(t, s, model, "compared"); got.Get("equal") != true {
			t.Errorf("%s differs from its replay: %s", model, got.Raw)
		}
	}
	if code := s.Stop(t); code != exitOK {
		t.Fatalf("it stopped with %d:\n%s", code, s.Said())
	}
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: s.Data})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	if found := testkit.Mentions(testkit.Messages(t, log), personal...); len(found) != 1 || !strings.Contains(found[0], "zoe.berg@example.com") {
		t.Errorf("only the address that somebody else has now may be in the log: %q", found)
	}
	if said := testkit.Mentions(strings.Split(s.Said(), "\n"), personal...); len(said) > 0 {
		t.Errorf("the server's own log has %q", said)
	}
}

// checkErased asks for customers and their conversations in every way, and wants to be told that they are not there.
func checkErased(t *testing.T, s *testkit.Process, conversations map[string][]string, position string) {
	t.Helper()
	gone := func(path, code string) {
		t.Helper()
		a, err := s.Do(t.Context(), http.MethodGet, path, nil)
		if err != nil || a.Status != 404 || a.Str("code") != code {
			t.Errorf("GET %s: %d %s %v", path, a.Status, a.Raw, err)
		}
	}
	lists := []string{
		"/v1/conversations?status=any&limit=100", "/v1/customers?limit=100", "/v1/customers?name=berg",
		"/v1/search?q=confession&min_position=" + position, "/v1/search?q=berg", "/v1/conversations?status=any&assignee=me",
	}
	for customer, ids := range conversations {
		gone("/v1/customers/"+customer, "customer_erased")
		gone("/v1/customers/"+customer+"/timeline", "customer_erased")
		for _, id := range ids {
			gone("/v1/conversations/"+id, "conversation_not_found")
			gone("/v1/conversations/"+id+"/messages", "conversation_not_found")
			gone("/v1/conversations/"+id+"/notes", "conversation_not_found")
			if a, err := s.Do(t.Context(), http.MethodPost, "/v1/conversations/"+id+"/messages", map[string]any{"text": "?"}); err != nil || a.Str("code") != "conversation_erased" {
				t.Errorf("a message to %s: %d %s %v", id, a.Status, a.Raw, err)
			}
		}
		lists = append(lists, "/v1/conversations?status=any&customer="+customer)
	}
	for _, path := range lists {
		list := s.OK(t, http.MethodGet, path, nil)
		for customer, ids := range conversations {
			for _, id := range append(ids, customer) {
				if strings.Contains(string(list.Raw), id) {
					t.Errorf("%s still shows %s: %s", path, id, list.Raw)
				}
			}
		}
	}
}

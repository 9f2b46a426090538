package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestSearchForCustomers finds customers of a whole server by what they are called and by parts of their addresses, page by
// page, and none of another org; then the index is built anew, and they are still found.
func TestSearchForCustomers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	s := serve(t, "--postgres", testkit.Postgres(t))
	position := ""
	write := func(name, email string) string {
		t.Helper()
		a := s.OK(t, "POST", "/v1/conversations", map[string]any{
			"channel": "email", "subject": "A question", "message": map[string]any{"text": "Hello."},
			"customer": map[string]any{"name": name, "email": email},
		})
		position = a.Str("position")
		return a.Str("customer_id")
	}
	anna, joan, bob := write("Anna Smith", "anna.smith@example.com"), write("Joan Smith", "joan@smith.example.org"), write("Bob Hill", "bob@example.com")
	find := func(path string) (ids []string, next string) {
		t.Helper()
		a := s.OK(t, "GET", path, nil)
		for i := 0; a.Get(fmt.Sprintf("items.%d", i)) != nil; i++ {
			ids = append(ids, a.Str(fmt.Sprintf("items.%d.customer_id", i)))
		}
		next = a.Str("links.next")
		return ids, next
	}
	all := func() {
		t.Helper()
		for q, want := range map[string][]string{
			"anna": {anna}, "anna.smith%40example.com": {anna}, "smith": {anna, joan}, "example.com": {anna, bob}, "ann*": {anna}, "bob+-example.org": {bob},
			"email:joan%40smith.example.org": {joan}, "hello": nil, "%22smith+anna%22": nil,
		} {
			ids, _ := find("/v1/search/customers?q=" + q + "&min_position=" + position)
			if len(ids) != len(want) {
				t.Errorf("%s finds %v, want %v", q, ids, want)
			}
			for _, id := range want {
				if !strings.Contains(strings.Join(ids, " "), id) {
					t.Errorf("%s finds %v, and not %s", q, ids, id)
				}
			}
		}
	}
	all()
	first, next := find("/v1/search/customers?q=smith&limit=1")
	if len(first) != 1 || next == "" {
		t.Fatalf("the first page has %v, and then %q", first, next)
	}
	second, _ := find(next)
	if len(second) != 1 || second[0] == first[0] {
		t.Errorf("the second page has %v after %v", second, first)
	}
	if a, err := s.Do(t.Context(), "GET", "/v1/search/customers?q=%22open", nil); err != nil || a.Status != 422 || a.Str("code") != "query_invalid" {
		t.Errorf("an open quotation is answered with %d %s, %v", a.Status, a.Raw, err)
	}
	r := tidemark(t).Run(t, "search", "rebuild", "--switch", "--data", s.Data)
	if r.Code != exitOK || !strings.Contains(r.Stdout, "serves") {
		t.Fatalf("a rebuild ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	all()
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/importer"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// realConversations are those of the data directory, by the id that they get in the demo org; none when there is no such
// directory, which TIDEMARK_DATA names and is otherwise beside the repository.
func realConversations(t *testing.T) (path string, records map[string]importer.Record) {
	t.Helper()
	dir := os.Getenv("TIDEMARK_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path = filepath.Join(dir, "support.jsonl")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("TIDEMARK_DATA") == "" {
		return path, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	records = map[string]importer.Record{}
	for line := range bytes.Lines(raw) {
		var r importer.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		records[command.DeriveID("import", demoOrg, r.ID)] = r
	}
	if len(records) < 100 {
		t.Fatalf("there are only %d conversations in %s", len(records), path)
	}
	return path, records
}

// The real conversations are imported, listed, routed, answered, found, and in the end nothing of them is missing.
func TestRealConversations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	path, records := realConversations(t)
	if records == nil {
		t.Logf("there are no real conversations at %s: nothing to test", path)
		return
	}
	s := serve(t, "--postgres", testkit.Postgres(t))
	s.OK(t, "PUT", "/v1/agents/admin/presence", map[string]any{"presence": "online"})

	messages := 0
	for _, r := range records {
		messages += len(r.Messages)
	}
	all := importer.Totals{Created: len(records), Messages: messages}
	for _, want := range []importer.Totals{all, {Unchanged: len(records)}} {
		got := asked(t, "--json", "import", "--data", s.Data, "--rejected", filepath.Join(t.TempDir(), "rejected.jsonl"), path)
		var totals importer.Totals
		if err := json.Unmarshal([]byte(got.Stdout), &totals); err != nil || got.Code != exitOK {
			t.Fatalf("the import ended with %d, %v:\n%s%s", got.Code, err, got.Stdout, got.Stderr)
		}
		totals.Customers = 0 // some wrote about more than one thing
		if totals != want {
			t.Errorf("imported %+v, want %+v", totals, want)
		}
	}

	// All wait in the queue, and the agent is given some of them, a few at a time.
	testkit.Until(t, "all of them are routed", func() bool { return len(listed(t, s, "queue=support")) == len(records) })
	testkit.Until(t, "the agent is given some", func() bool { return len(listed(t, s, "assignee=me")) > 2 })
	for id, c := range listed(t, s, "status=open") {
		r, ok := records[id]
		if !ok || c.Str("channel") != string(r.Channel) || c.Str("subject") != r.Company || int(c.Get("counts.messages").(float64)) != len(r.Messages) {
			t.Errorf("the inbox lists %s, want %+v", c.Raw, r)
		}
	}
	for id, r := range records {
		var want []string
		for _, m := range r.Messages {
			want = append(want, m.Text)
		}
		if got := texts(t, s, id); !slices.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", id, got, want)
		}
	}

	id, word := unusual(t, records)
	testkit.Until(t, "search finds what the customer wrote", func() bool { return foundBy(t, s, word) == id })
	answer := s.OK(t, "POST", "/v1/conversations/"+id+"/messages", map[string]any{"text": "It was the zugzwang."})
	if got := s.OK(t, "GET", "/v1/conversations/"+id+"?min_position="+answer.Str("position"), nil); got.Str("last_message.preview") != "It was the zugzwang." {
		t.Errorf("after the answer the inbox has %s", got.Raw)
	}
	testkit.Until(t, "search finds the answer", func() bool { return foundBy(t, s, "zugzwang") == id })
	if got := asked(t, "ledger", "--data", s.Data); got.Code != exitOK {
		t.Errorf("the ledger ends with %d:\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
}

// listed are the conversations of a list, over all its pages, by id.
func listed(t *testing.T, s *testkit.Process, query string) map[string]testkit.Answer {
	t.Helper()
	out := map[string]testkit.Answer{}
	for path := "/v1/conversations?limit=100&" + query; path != ""; {
		page, err := s.Try(t.Context(), "GET", path, nil)
		if err != nil || page.Status != 200 {
			return nil // the database may still be starting
		}
		for i := 0; page.Str("items."+strconv.Itoa(i)+".id") != ""; i++ {
			item := page.At("items." + strconv.Itoa(i))
			if out[item.Str("id")].Raw != nil {
				t.Errorf("%s is listed twice", item.Raw)
			}
			out[item.Str("id")] = item
		}
		path = page.Str("links.next")
	}
	return out
}

// foundBy is the conversation that search finds first.
func foundBy(t *testing.T, s *testkit.Process, word string) string {
	t.Helper()
	a, err := s.Try(t.Context(), "GET", "/v1/search?q="+word, nil)
	if err != nil || a.Status != 200 {
		return ""
	}
	return a.Str("items.0.conversation_id")
}

// unusual is a word that is in one conversation; none that begins like it is in any other, since search takes the forms
// of a word for the same.
func unusual(t *testing.T, records map[string]importer.Record) (id, word string) {
	t.Helper()
	const stem = 5
	words := regexp.MustCompile(`[a-z]{5,}`)
	in := map[string][]string{} // ids, by beginning
	for id, r := range records {
		for _, w := range words.FindAllString(strings.ToLower(fmt.Sprint(r)), -1) {
			if !slices.Contains(in[w[:stem]], id) {
				in[w[:stem]] = append(in[w[:stem]], id)
			}
		}
	}
	long := regexp.MustCompile(`\s([a-z]{9,})\s`)
	for id, r := range records {
		for _, m := range r.Messages {
			for _, w := range long.FindAllStringSubmatch(m.Text, -1) {
				if len(in[w[1][:stem]]) == 1 {
					return id, w[1]
				}
			}
		}
	}
	t.Fatal("none of them has a word of its own")
	return "", ""
}

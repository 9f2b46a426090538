package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// Nobody keeps a search index here: what is asked about it is not known, which is neither "current" nor "nothing".
func TestWhatCannotBeAskedIsSaid(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	s := serve(t, "--postgres", testkit.Postgres(t), "--targets", "api,projections,routing,workflow")
	caughtUp(t, s)
	for _, c := range []struct {
		command string
		code    int
		said    string // a line of the table
		object  string // the line that --json has of it
		help    string // on standard error
	}{
		{"lag", exitUnavailable, "search      ?           ?      ?                     unknown: search is not available now", `{"name":"search","reason":"search is not available now"}`, "search"},
		{"parked list", exitUnavailable, "unknown: search: search is not available now", `{"projection":"search","reason":"search is not available now"}`, "search"},
		{"projection list", exitOK, "search      unknown: search is not available now  -", `{"name":"search","as_of":null,"reason":"search is not available now","rebuild":null}`, ""},
	} {
		for _, form := range []string{"", " --json"} {
			got := asked(t, strings.Fields(c.command+form+" --data "+s.Data)...)
			want := c.said
			if form != "" {
				want = c.object
			}
			if got.Code != c.code || !strings.Contains("\n"+got.Stdout, "\n"+want+"\n") || !strings.Contains(got.Stderr, c.help) {
				t.Errorf("%s%s ended with %d, want %d and the line\n%s\nin\n%s%s", c.command, form, got.Code, c.code, want, got.Stdout, got.Stderr)
			}
		}
	}
	if got := asked(t, "parked", "list", "--data", s.Data); strings.Contains(got.Stdout, "Nothing is parked.") {
		t.Errorf("it does not know that:\n%s", got.Stdout)
	}
	got := asked(t, "projection", "rebuild", "inbox", "--no-wait", "--json", "--data", s.Data)
	var state rebuildState
	if err := json.Unmarshal([]byte(got.Stdout), &state); err != nil || got.Code != exitOK || state.State == "" || state.StartedAt.IsZero() {
		t.Errorf("a rebuild that is not waited for: %d %v %s%s", got.Code, err, got.Stdout, got.Stderr)
	}
	got = asked(t, "projection", "list", "--json", "--data", s.Data)
	for line := range strings.Lines(got.Stdout) {
		var p projectionState
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if p.Name != "search" && (p.AsOf == nil || p.AsOf.Position == "") || p.Name == "inbox" && (p.Rebuild == nil || p.Rebuild.StartedAt.IsZero()) {
			t.Errorf("%s", line)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// importLine is a line with one conversation.
func importLine(id string, texts ...string) string {
	type message struct {
		At   string `json:"at"`
		From string `json:"from"`
		Text string `json:"text"`
	}
	messages := make([]message, len(texts))
	for i, text := range texts {
		messages[i] = message{fmt.Sprintf("2020-01-01T%02d:%02d:%02dZ", i/3600, i/60%60, i%60), []string{"customer", "agent"}[i%2], text}
	}
	raw, err := encode(map[string]any{"id": id, "channel": "email", "customer": map[string]any{"email": id + "@example.com"}, "messages": messages})
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(raw))
}

// imports runs 'tidemark --json import' over some content.
func imports(t *testing.T, s *testkit.Process, content string) (code int, report map[string]any, rejected []rejectedLine) {
	t.Helper()
	path := file(t, "in.jsonl", content)
	kept := filepath.Join(filepath.Dir(path), "rejected.jsonl")
	got := asked(t, "--json", "import", "--data", s.Data, "--rejected", kept, path)
	if err := json.Unmarshal([]byte(got.Stdout), &report); err != nil {
		t.Fatalf("it ended with %d: %v\n%s%s", got.Code, err, got.Stdout, got.Stderr)
	}
	raw, err := os.ReadFile(kept)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var r rejectedLine
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rejected = append(rejected, r)
	}
	slices.SortFunc(rejected, func(a, b rejectedLine) int { return a.Line - b.Line })
	return got.Code, report, rejected
}

// Whatever a line is made of, it never takes others with it: it is told by its number and kept as it was.
func TestImportGoesOnBehindABadLine(t *testing.T) {
	t.Parallel()
	s := serve(t, "--targets", "api,chat", "--postgres", nobodyPostgres)
	goods := 0
	good := func() string { goods++; return importLine(fmt.Sprint("good-", goods), "Hello?", "Hi.") }
	many := make([]string, 1203)
	for i := range many {
		many[i] = fmt.Sprint("message ", i)
	}
	markup := make([]string, 40)
	for i := range markup {
		markup[i] = strings.Repeat("<a&b>", 2000) // 10,000 characters, of which \u003c makes six each
	}
	lines := []string{good()}
	want := map[int]string{} // code by number of the line
	bad := func(code, line string) {
		lines = append(lines, line, good())
		want[len(lines)-1] = code
	}
	bad("body_too_large", importLine("over-a-mebibyte", strings.Repeat("x", 1<<20)))
	bad("body_too_large", importLine("over-four", strings.Repeat("x", 5<<20)))
	bad("text_refused", strings.Replace(importLine("del", "a~b"), "~", "\x7f", 1))
	bad("text_refused", strings.Replace(importLine("next-line", "a~b"), "~", "\u0085", 1))
	bad("text_refused", strings.Replace(importLine("control", "a~b"), "~", "\x01", 1))
	bad("text_refused", strings.Replace(importLine("half", "a~b"), "~", "\xff", 1))
	bad("line_not_json", "{")
	bad("line_invalid", strings.Replace(importLine("an-id", "a"), `"id":"an-id"`, `"id":"an\nid"`, 1))
	bad("line_invalid", strings.Replace(importLine("before-time", "a"), "2020-01-01T00:00:00Z", "0000-01-01T00:00:00+14:00", 1))
	bad("text_invalid", strings.Replace(importLine("a-subject", "a"), `"id"`, `"subject":"`+strings.Repeat("s", 600)+`","id"`, 1))
	for range 12_000 {
		lines = append(lines, "")
	}
	for range 12_000 {
		lines = append(lines, "  \r")
	}
	lines = append(lines, good(), importLine("long", many...), importLine("markup", markup...), good())
	bad("line_not_json", "not the last")
	conversations := 0
	for n, line := range lines {
		if _, rejected := want[n+1]; !rejected && strings.TrimSpace(line) != "" {
			conversations++
		}
	}

	code, report, rejected := imports(t, s, strings.Join(lines, "\n")+"\r\n")
	if code != exitFailed || report["created"] != float64(conversations) || report["rejected"] != float64(len(want)) ||
		report["messages"] != float64(2*(conversations-2)+len(many)+len(markup)) || report["position"] == "" {
		t.Errorf("ended with %d: %v; want %d conversations and %d bad lines", code, report, conversations, len(want))
	}
	for _, r := range rejected {
		raw := lines[r.Line-1]
		switch {
		case want[r.Line] != r.Code:
			t.Errorf("line %d, %.60q, is rejected with %s (%s), want %q", r.Line, raw, r.Code, r.Detail, want[r.Line])
		case r.Raw != nil && string(r.Raw) != raw, r.Raw == nil && !r.Cut && r.Text != raw, r.Cut && (len(raw) <= len(r.Text) || !strings.HasPrefix(raw, r.Text)):
			t.Errorf("line %d, %.60q, is kept as %.60q", r.Line, raw, r.Text)
		case r.Cut != (len(raw) > 4<<20), r.Detail == "", strings.Contains(r.Detail, "["+r.Code):
			t.Errorf("line %d, %.60q: cut %t, %s", r.Line, raw, r.Cut, r.Detail)
		}
		delete(want, r.Line)
	}
	if len(want) > 0 {
		t.Errorf("these are not rejected: %v", want)
	}
	code, report, _ = imports(t, s, strings.Join(lines, "\n")+"\r\n")
	if code != exitFailed || report["created"] != 0.0 || report["extended"] != 0.0 || report["messages"] != 0.0 || report["unchanged"] != float64(conversations) {
		t.Errorf("again: %d, %v", code, report)
	}
}

// To find a bad line takes many requests. The server's limit makes that slower and ends nothing.
func TestImportKeepsToTheRateLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, "--targets", "api,chat", "--postgres", nobodyPostgres, "--rate-limit", "25")
	var content strings.Builder
	const lines = 64
	for n := range lines {
		fmt.Fprintln(&content, importLine(fmt.Sprint("c", n), []string{"a\x7fb", "ab"}[n%2]))
	}
	raw := strings.ReplaceAll(content.String(), `\u007f`, "\x7f")
	code, report, rejected := imports(t, s, raw)
	if code != exitFailed || report["created"] != float64(lines/2) || len(rejected) != lines/2 {
		t.Errorf("ended with %d: %v, %d rejected", code, report, len(rejected))
	}
}

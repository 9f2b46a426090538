package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestSearchQuery answers as a server does, and looks at what is asked, printed, and ended with.
func TestSearchQuery(t *testing.T) {
	t.Parallel()
	hit := func(id string) string {
		return `{"conversation_id":"` + id + `","subject":"Re:\u001b[31m lost","status":"open","updated_at":"2026-01-02T03:04:05Z",` +
			`"highlights":[{"in":"message","message_id":"m7","fragment":"my refund,\n please","matches":[[3,9]]}]}`
	}
	answer := func(items, rest string) string {
		return `{"items":[` + items + `],"total":3,"total_exact":true,"as_of":{"time":"2026-01-02T03:04:06Z","lag_seconds":0.5}` + rest + `}`
	}
	const more = `,"links":{"next":"/v1/search?cursor=c2&limit=1&q=refund"}`
	for _, c := range []struct {
		name    string
		args    []string
		status  int
		answers []string
		asked   []string
		code    int
		said    []string
		never   string
	}{
		{
			"marks",
			[]string{"refund", "-paypal OR x"},
			200,
			[]string{answer(hit("one"), `,"links":{}`)},
			[]string{"GET /v1/search?limit=25&q=refund+-paypal+OR+x&status=any"},
			exitOK,
			[]string{"one", "open", "2026-01-02T03:04:05Z", "message m7: my »refund«, please", "1 of 3", "0.5 s behind"},
			"\x1b",
		},
		{
			"all parameters",
			[]string{"x", "--status", "closed", "--sort", "oldest", "--notes", "--facets", "status,tag", "--limit", "7", "--cursor", "c1", "--min-position", "p"},
			200,
			[]string{answer("", `,"links":{},"facets":{"tag":{"values":[{"value":"vip","count":2}],"none":1}},"instead":{"q":"refund","words":[]}`)},
			[]string{"GET /v1/search?cursor=c1&facets=status%2Ctag&limit=7&min_position=p&notes=true&q=x&sort=oldest&status=closed"},
			exitOK,
			[]string{"Searched instead: refund", "tag: vip 2, (none) 1"},
			"\x1b",
		},
		{
			"pages up to the limit",
			[]string{"refund", "--limit", "2"},
			200,
			[]string{answer(hit("one"), more), answer(hit("two"), more)},
			[]string{"GET /v1/search?limit=2&q=refund&status=any", "GET /v1/search?cursor=c2&limit=1&q=refund"},
			exitOK,
			[]string{"one", "two", "2 of 3"},
			"\x1b",
		},
		{
			"all pages, for programs",
			[]string{"refund", "--all", "--json"},
			200,
			[]string{answer(hit("one"), more), answer(hit("two"), `,"links":{}`)},
			[]string{"GET /v1/search?limit=100&q=refund&status=any", "GET /v1/search?cursor=c2&limit=100&q=refund"},
			exitOK,
			[]string{`"conversation_id":"one"`, `"conversation_id":"two"`, `"total":3`, `"total_exact":true`},
			"CONVERSATION",
		},
		{
			"more than are counted",
			[]string{"refund"},
			200,
			[]string{`{"items":[],"total":10000,"total_exact":false,"links":{},"as_of":{}}`},
			[]string{"GET /v1/search?limit=25&q=refund&status=any"},
			exitOK,
			[]string{"0 of more than 10000"},
			"\x1b",
		},
		{
			"cannot be read",
			[]string{"(refund"},
			422,
			[]string{`{"status":422,"code":"query_invalid","detail":"the query cannot be read at character 1: the parenthesis is not closed"}`},
			[]string{"GET /v1/search?limit=25&q=%28refund&status=any"},
			exitUsage,
			[]string{"query_invalid", "at character 1"},
			"CONVERSATION",
		},
		{
			"away",
			[]string{"refund"},
			503,
			[]string{`{"status":503,"code":"search_unavailable","title":"search is not available now","hint":"the index is 3 events behind"}`},
			[]string{"GET /v1/search?limit=25&q=refund&status=any"},
			exitUnavailable,
			[]string{"search_unavailable", "3 events behind"},
			"CONVERSATION",
		},
		{"nothing to print", []string{"refund", "--limit", "0"}, 200, nil, nil, exitUsage, []string{"--limit"}, "CONVERSATION"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.URL.RequestURI())
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.answers[min(len(asked), len(c.answers))-1]))
			}))
			defer server.Close()
			var out bytes.Buffer
			none := func(string) (string, bool) { return "", false }
			args := append([]string{"search", "query", "--url", server.URL, "--key", "tdm_x"}, c.args...)
			if i := slices.Index(c.args, "-paypal OR x"); i >= 0 { // what begins with a dash is no flag behind --
				args = slices.Insert(args, len(args)-2, "--")
			}
			code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out, env: none})
			if code != c.code || !slices.Equal(asked, c.asked) {
				t.Errorf("ended with %d after asking %q, want %d after %q:\n%s", code, asked, c.code, c.asked, &out)
			}
			for _, w := range c.said {
				if !strings.Contains(out.String(), w) {
					t.Errorf("it does not say %q:\n%s", w, &out)
				}
			}
			if strings.Contains(out.String(), c.never) {
				t.Errorf("it says %q:\n%s", c.never, &out)
			}
		})
	}
}

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestCustomerCommand answers as a server does, and looks at what is asked, printed, and ended with.
func TestCustomerCommand(t *testing.T) {
	t.Parallel()
	const zoe = `{"id":"z","name":"Zoe","identities":[{"type":"email","value":"zoe@example.com"},{"type":"x","value":"zoe"}],"created_at":"2026-01-02T03:04:05Z"}`
	erasure := func(status string) string {
		return `{"customer_id":"z","status":"` + status + `","asked_at":"2026-01-02T03:04:05Z","position":"p"}`
	}
	for _, c := range []struct {
		name    string
		args    []string
		status  int
		answers []string // the last one again and again
		asked   []string
		code    int
		said    []string
	}{
		{
			"list",
			[]string{"--name", "zo", "--email", "zoe@example.com"},
			200,
			[]string{`{"items":[` + zoe + `],"links":{}}`},
			[]string{"GET /v1/customers?email=zoe%40example.com&limit=100&name=zo"},
			exitOK,
			[]string{"ADDRESSES", "email:zoe@example.com x:zoe", "2026-01-02T03:04:05Z"},
		},
		{"show", []string{"show", "z"}, 200, []string{zoe}, []string{"GET /v1/customers/z"}, exitOK, []string{"addresses", "x:zoe"}},
		{"show for programs", []string{"show", "z", "--json"}, 200, []string{zoe}, []string{"GET /v1/customers/z"}, exitOK, []string{`"id":"z"`, `"value":"zoe"`}},
		{
			"erase and wait",
			[]string{"erase", "z"},
			200,
			[]string{erasure("running"), erasure("running"), erasure("done")},
			[]string{"DELETE /v1/customers/z", "GET /v1/customers/z/erasure", "GET /v1/customers/z/erasure"},
			exitOK,
			[]string{"Erased. Nothing is left of customer z"},
		},
		{
			"erase without waiting",
			[]string{"erase", "z", "--no-wait"},
			200,
			[]string{erasure("running")},
			[]string{"DELETE /v1/customers/z"},
			exitOK,
			[]string{"goes on in the server"},
		},
		{
			"erase for programs",
			[]string{"erase", "z", "--json"},
			200,
			[]string{erasure("done")},
			[]string{"DELETE /v1/customers/z"},
			exitOK,
			[]string{`"status":"done"`},
		},
		{
			"nobody",
			[]string{"erase", "z"},
			404,
			[]string{`{"status":404,"code":"customer_not_found","title":"there is no such customer"}`},
			[]string{"DELETE /v1/customers/z"},
			exitNotFound,
			[]string{"customer_not_found"},
		},
		{
			"merged",
			[]string{"erase", "z"},
			409,
			[]string{`{"status":409,"code":"customer_merged","title":"the customer turned out to be another one","hint":"erase customer y, who took over"}`},
			[]string{"DELETE /v1/customers/z"},
			exitRefused,
			[]string{"customer_merged", "erase customer y"},
		},
		{"whom?", []string{"erase"}, 200, nil, nil, exitUsage, []string{"id"}},
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
			args := append(append([]string{"customer"}, c.args...), "--url", server.URL, "--key", "tdm_x")
			code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out, env: none})
			if code != c.code || !slices.Equal(asked, c.asked) {
				t.Errorf("ended with %d after asking %q, want %d after %q:\n%s", code, asked, c.code, c.asked, &out)
			}
			for _, w := range c.said {
				if !strings.Contains(out.String(), w) {
					t.Errorf("it does not say %q:\n%s", w, &out)
				}
			}
		})
	}
}

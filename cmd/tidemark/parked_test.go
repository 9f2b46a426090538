package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestParkedAsksForTheEventThatWasSeen answers as a server does whose key is parked at 7, and looks at what is asked.
func TestParkedAsksForTheEventThatWasSeen(t *testing.T) {
	t.Parallel()
	const at = "/v1/admin/parked/inbox/conversation.c"
	for _, c := range []struct {
		name  string
		args  []string
		asked []string
		code  int
		said  string
	}{
		{
			"shown",
			[]string{"parked", "show", "inbox", "conversation.c"},
			[]string{"GET " + at + " "},
			exitOK, "sequence    7",
		},
		{
			"the one that is there",
			[]string{"parked", "drop", "inbox", "conversation.c"},
			[]string{"GET " + at + " ", "POST " + at + `/drop {"sequence":7}`},
			exitOK, "Asked to drop the conversation.sung.v9 at 7.",
		},
		{
			"the one that was seen",
			[]string{"parked", "retry", "inbox", "conversation.c", "--sequence", "7"},
			[]string{"POST " + at + `/retry {"sequence":7}`},
			exitOK, "Asked to retry",
		},
		{
			"another one by now",
			[]string{"parked", "drop", "inbox", "conversation.c", "--sequence", "5"},
			[]string{"POST " + at + `/drop {"sequence":5}`},
			exitRefused, "parked_elsewhere",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
				if strings.Contains(string(body), "5") {
					w.WriteHeader(http.StatusConflict)
					_, _ = w.Write([]byte(`{"status":409,"code":"parked_elsewhere","title":"no"}`))
					return
				}
				_, _ = fmt.Fprint(w, `{"projection":"inbox","key":"conversation.c","sequence":7,"type":"conversation.sung.v9"}`)
			}))
			defer server.Close()
			var out bytes.Buffer
			none := func(string) (string, bool) { return "", false }
			code := execute(t.Context(), append(c.args, "--url", server.URL, "--key", "tdm_x"), streams{in: strings.NewReader(""), out: &out, err: &out, env: none})
			if code != c.code || !slices.Equal(asked, c.asked) || !strings.Contains(out.String(), c.said) {
				t.Errorf("ended with %d after %q:\n%s", code, asked, &out)
			}
		})
	}
}

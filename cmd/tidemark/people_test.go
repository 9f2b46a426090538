package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAgentCreateSaysTheCapacity: a capacity of 0 is one, and reaches the server as such.
func TestAgentCreateSaysTheCapacity(t *testing.T) {
	t.Parallel()
	for capacity, args := range map[float64][]string{0: {"--capacity", "0"}, 5: nil} {
		var asked map[string]any
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
			_, _ = w.Write([]byte(`{"id":"a1","position":"p"}`))
		}))
		defer server.Close()
		var out bytes.Buffer
		none := func(string) (string, bool) { return "", false }
		args = append([]string{"agent", "create", "Lea", "lea@example.com", "--url", server.URL, "--key", "tdm_x"}, args...)
		code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out, env: none})
		if code != exitOK || asked["capacity"] != capacity {
			t.Errorf("%q ended with %d and asked %v:\n%s", args, code, asked, &out)
		}
	}
}

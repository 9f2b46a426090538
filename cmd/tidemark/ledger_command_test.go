package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestLedgerCommand answers as a server does, and looks at what is asked, printed, and ended with.
func TestLedgerCommand(t *testing.T) {
	t.Parallel()
	const row = `{"channel":"chat","accepted":{"conversations":2,"messages":1234,"notes":0,"messages_received":1000,"messages_written":234},
		"excused":{"conversations":1,"messages":4,"notes":0},
		"inbox":{"conversations":1,"messages":1230,"notes":0,"missing":{"conversations":0,"messages":0,"notes":0}},
		"timeline":{"conversations":1,"messages":1228,"notes":0,"missing":{"conversations":0,"messages":2,"notes":0}},"search":null}`
	const hole = `{"model":"timeline","conversation_id":"c-7","problem":"lacks 2 of 9 messages"}`
	const late = `{"model":"search","problem":"search is not available now","lag_events":12,"lag_seconds":3.5}`
	for _, c := range []struct {
		name, answer string
		args         []string
		asked        string
		code         int
		said         []string
	}{
		{
			"whole", `{"position":"p","rows":[],"holes":[],"holes_total":0,"behind":[]}`, nil,
			"/v1/admin/ledger", exitOK,
			[]string{"ACCEPTED", "No hole"},
		},
		{
			"a customer is missing", `{"position":"p","rows":[],"customers":{"accepted":812,"excused":3,"shown":808,"missing":1},"holes":[{"model":"customers","customer_id":"u-9","problem":"is not there"}],"holes_total":1,"behind":[]}`, nil,
			"/v1/admin/ledger", exitFailed,
			[]string{"CUSTOMERS", "812", "808 (1 missing)", "HOLE    customers: customer u-9 is not there"},
		},
		{
			"a hole, and a model behind", `{"position":"p","rows":[` + row + `],"holes":[` + hole + `],"holes_total":3,"behind":[` + late + `]}`,
			[]string{"--from", "2019-05-15T08:19:00-04:00", "--to", "2019-05-15T12:28:00-04:00", "--channel", "chat", "--models", "inbox,timeline"},
			"/v1/admin/ledger?channel=chat&from=2019-05-15T08%3A19%3A00-04%3A00&models=inbox%2Ctimeline&to=2019-05-15T12%3A28%3A00-04%3A00",
			exitFailed,
			[]string{"1228 (2 missing)", "HOLE    timeline: conversation c-7 lacks 2 of 9 messages", "HOLE    2 more", "BEHIND  search: search is not available now (12 events, 3.5 s)"},
		},
		{
			"only behind", `{"position":"p","rows":[` + row + `],"holes":[],"holes_total":0,"behind":[` + late + `]}`, nil,
			"/v1/admin/ledger", exitUnavailable,
			[]string{"BEHIND  search", "not everything could be compared: search"},
		},
		{
			"for programs", `{"position":"p","rows":[` + row + `],"holes":[` + hole + `],"holes_total":1,"behind":[]}`,
			[]string{"--json"},
			"/v1/admin/ledger", exitFailed,
			[]string{`"holes_total":1`, `"messages_received":1000`, `"search":null`},
		},
		{"no time", "", []string{"--from", "yesterday"}, "", exitUsage, []string{"--from"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asked := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.RequestURI()
				_, _ = w.Write([]byte(c.answer))
			}))
			defer server.Close()
			var out bytes.Buffer
			none := func(string) (string, bool) { return "", false }
			args := append([]string{"ledger", "--url", server.URL, "--key", "tdm_x"}, c.args...)
			code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out, env: none})
			if code != c.code || asked != c.asked {
				t.Errorf("ended with %d after asking %s, want %d after %s:\n%s", code, asked, c.code, c.asked, &out)
			}
			for _, w := range c.said {
				if !strings.Contains(out.String(), w) {
					t.Errorf("it does not say %q:\n%s", w, &out)
				}
			}
		})
	}
}

// TestLedgerOfAServer asks a whole server: no hole, until something is taken out behind its back.
func TestLedgerOfAServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	database := testkit.Postgres(t)
	s := serve(t, "--postgres", database)
	ask := func(args ...string) testkit.Result {
		return tidemark(t).Run(t, append([]string{"ledger", "--data", s.Data}, args...)...)
	}
	for range 3 {
		s.OK(t, http.MethodPost, "/v1/conversations", map[string]any{
			"channel": "sms", "subject": "Help", "customer": map[string]any{"name": "Ann"}, "message": map[string]any{"text": "Hello?"},
		})
	}
	caughtUp(t, s) // the database may still be starting
	r := ask()
	if r.Code != exitOK || !strings.Contains(r.Stdout, "No hole") || !strings.Contains(r.Stdout, "sms") {
		t.Fatalf("ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var lost string
	err = conn.QueryRow(t.Context(), "DELETE FROM inbox.inbox_conversations WHERE id = (SELECT min(id) FROM inbox.inbox_conversations) RETURNING id").Scan(&lost)
	if err != nil {
		t.Fatal(err)
	}
	r = ask("--channel", "sms", "--json")
	var report ledgerReport
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || r.Code != exitFailed {
		t.Fatalf("ended with %d, %v:\n%s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	row := report.Rows[0]
	if report.HolesTotal != 1 || report.Holes[0].Model != "inbox" || report.Holes[0].ConversationID != lost ||
		row.Accepted.Conversations != 3 || row.Inbox.Missing.Conversations != 1 || row.Search.Conversations != 3 || row.Timeline.Messages != 3 {
		t.Errorf("%s", r.Stdout)
	}
	var gone string
	err = conn.QueryRow(t.Context(), "DELETE FROM customers.customer_profiles WHERE id = (SELECT min(id) FROM customers.customer_profiles) RETURNING id").Scan(&gone)
	if err != nil {
		t.Fatal(err)
	}
	r = ask("--models", "customers", "--json")
	report = ledgerReport{}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || r.Code != exitFailed {
		t.Fatalf("ended with %d, %v:\n%s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	if report.HolesTotal != 1 || report.Holes[0].CustomerID != gone || report.Customers.Accepted != 3 || *report.Customers.Missing != 1 || *report.Customers.Shown != 2 {
		t.Errorf("%s", r.Stdout)
	}
}

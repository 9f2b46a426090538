package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// step is a command as a person and as a program gives it. In its words, {n} is a for the person and b for the program,
// {model} is inbox and timeline, and other names are what an earlier answer had.
type step struct {
	args string
	code int
	says string // in what a person reads; words by |
	same string // a GET whose answer, or each item of it, is what a program reads
	save string // name=field of the answer
}

// TestCommands runs every command that asks a server, as a table and as JSON, and looks at what it prints and ends with.
func TestCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	data := testkit.Dir(t)
	sing(t, data)
	s := tidemark(t).Serve(t, data, "--postgres", testkit.Postgres(t))
	testkit.Until(t, "the odd event is parked wherever it is met, and nothing else waits", func() bool {
		a, err := s.Try(t.Context(), "GET", "/v1/admin/parked", nil)
		parked := string(a.Raw)
		for _, model := range []string{"inbox", "timeline", "search", "routing", "workflow"} {
			if err != nil || !strings.Contains(parked, `"projection":"`+model+`"`) {
				return false
			}
		}
		return true
	})
	good, bad := file(t, "good.jsonl", importLine("c1", "Hello?")+"\n"), file(t, "bad.jsonl", "{\n")
	values := map[string]string{"good": good, "bad": bad, "rejected": bad + ".rejected"}
	const parkedKey = "conversation.odd"
	for _, step := range []step{
		{args: "version", says: "tidemark "},
		{args: "config --listen 127.0.0.1:1 --partitions 7", says: "SETTING|127.0.0.1:1|7"},
		{args: "config --listen nowhere", code: exitUsage, says: "listen: "},

		{args: "parked", says: "PROJECTION|inbox|" + parkedKey + "|conversation.sung.v9", same: "/v1/admin/parked"},
		{args: "parked list --projection search", says: "search", same: "/v1/admin/parked?projection=search"},
		{args: "parked show inbox " + parkedKey, says: "FIELD|conversation.sung.v9", same: "/v1/admin/parked/inbox/" + parkedKey},
		{args: "parked show inbox conversation.none", code: exitNotFound, says: "nothing is parked under this key"},
		{args: "parked retry routing " + parkedKey, says: "Asked to retry the conversation.sung.v9 at 1."},
		{args: "parked retry inbox conversation.none", code: exitNotFound},
		{args: "parked drop {model} " + parkedKey, says: "Asked to drop the conversation.sung.v9 at 1."},
		{args: "parked drop nothing " + parkedKey, code: exitNotFound},

		{args: "org", says: "TIME ZONE|Demo", same: "/v1/org"},
		{args: "org set --name Desk-{n} --timezone Europe/Berlin", says: "Changed."},
		{args: "org set --timezone Nowhere", code: exitUsage, says: "body.timezone"},
		{args: "org create other-{n} --name Other --admin-email a@example.com", says: "Made the org other-a|tdm_"},
		{args: "org create other-a --name Other --admin-email a@example.com", code: exitRefused, says: "org_exists"},
		{args: "agent create Bea bea-{n}@example.com --capacity 3 --queue support", says: "Added agent|tidemark key issue", save: "agent=id"},
		{args: "agent create Bea nowhere", code: exitUsage},
		{args: "agent", says: "PRESENCE|bea-a@example.com", same: "/v1/agents"},
		{args: "agent presence {agent} away", says: "Set."},
		{args: "agent presence nobody away", code: exitNotFound, says: "agent_not_found"},
		{args: "agent presence {agent} asleep", code: exitUsage, says: "online"},
		{args: "key issue {agent} --name {n}", says: "Issued key|tdm_", save: "key=id"},
		{args: "key issue nobody", code: exitUsage, says: "body.agent_id"},
		{args: "key", says: "AGENT|First admin key", same: "/v1/keys"},
		{args: "key revoke {key}", says: "Revoked."},
		{args: "key revoke nothing", code: exitNotFound, says: "key_not_found"},
		{args: "channel create chat Shop-{n} --origin https://acme.example", says: "Set up channel|site_", save: "channel=id"},
		{args: "channel", says: "SITE KEY|demo-site|https://acme.example", same: "/v1/channels"},
		{args: "channel set {channel} --greeting Hello-{n} --colour #00ff00 --language de --field email! --always-open", says: "Changed."},
		{args: "channel set {channel} --colour green", code: exitUsage, says: "body.theme"},
		{args: "channel disable {channel} --reason test", says: "Disabled."},
		{args: "channel show {channel}", says: "disabled|#00ff00 right auto|email (email), required|always", same: "/v1/channels/{channel}"},
		{args: "channel enable {channel}", says: "Enabled."},
		{args: "channel show nothing", code: exitNotFound, says: "channel_not_found"},

		{args: "import {good}", says: "conversations  1 new|messages       1 new|customers      1 new"},
		{args: "import --rejected {rejected} {good} {bad}", code: exitFailed, says: "1 as they were|rejected       1 lines|{bad}:1: |line_not_json"},
		{args: "import {bad}.none", code: exitNotFound, says: "cannot be read"},
		{args: "import --rejected /nowhere/r {bad}", code: exitFailed, says: "--rejected"},

		{args: "projection rebuild {model}", says: "as fresh as the running one|tidemark projection compare inbox"},
		{args: "projection compare {model}", code: exitFailed, says: "They differ: 1 keys are parked"}, // it meets what was dropped
		{args: "projection switch {model}", says: "inbox: switched|tidemark projection drop inbox"},
		{args: "projection switch {model}", code: exitRefused, says: "rebuild_state"},
		{args: "projection drop {model}", says: "inbox: dropped"},
		{args: "projection rebuild {model} --no-wait", says: "goes on in the server"},
		{args: "projection cancel {model}", says: "inbox: cancelled"},
		{args: "projection compare customers", code: exitNotFound, says: "no_rebuild"},
		{args: "projection rebuild customers", says: "as fresh as the running one"},
		{args: "projection compare customers", says: "They are equal."},
		{args: "projection rebuild nothing", code: exitNotFound},
		{args: "projection", says: "REBUILD|inbox|cancelled", same: "/v1/admin/projections"},

		{args: "lag", says: "PROJECTION|inbox|current", same: "/v1/admin/lag"},
		{args: "lag --key tdm_x", code: exitRefused, says: "unauthenticated"},
		{args: "ledger --channel email", says: "ACCEPTED|email|No hole", same: "/v1/admin/ledger?channel=email"},
		{args: "ledger", code: exitFailed, says: "HOLE", same: "/v1/admin/ledger"},
		{args: "bench nothing", code: exitUsage, says: "accept-one"},
		{args: "bench accept --seconds 0", code: exitUsage, says: "--seconds"},
	} {
		values["n"], values["model"] = "a", "inbox"
		if step.same != "" {
			allCurrent(t, s)
		}
		step.person(t, s, values)
		values["n"], values["model"] = "b", "timeline"
		step.program(t, s, values)
	}
}

// sing makes a log with an event that this version does not know, in the org that the first start will make.
func sing(t *testing.T, data string) {
	t.Helper()
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	_, err = log.Append(t.Context(), eventlog.Write{
		Aggregate: events.Aggregate{Org: demoOrg, Kind: events.KindConversation, ID: "odd"},
		Drafts:    []events.Draft{{Event: events.Unknown{Type: "conversation.sung.v9"}, Metadata: events.Metadata{ID: events.NewID(), Revision: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// allCurrent waits until nothing lags, so that two looks see the same.
func allCurrent(t *testing.T, s *testkit.Process) {
	t.Helper()
	testkit.Until(t, "nothing lags", func() bool {
		a, err := s.Try(t.Context(), "GET", "/v1/admin/lag", nil)
		n := strings.Count(string(a.Raw), `"name"`)
		return err == nil && n > 0 && strings.Count(string(a.Raw), `"lag_events":0`) == n
	})
}

// words are the arguments of a command; those that ask a server are told where it is.
func (c step) words(s *testkit.Process, values map[string]string) []string {
	words := strings.Fields(expand(c.args, values))
	switch words[0] {
	case "version", "config", "bench":
		return words
	}
	return append(words, "--data", s.Data)
}

func expand(text string, values map[string]string) string {
	for name, value := range values {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

func (c step) person(t *testing.T, s *testkit.Process, values map[string]string) {
	t.Helper()
	got := asked(t, c.words(s, values)...)
	if got.Code != c.code {
		t.Errorf("%s: ended with %d, want %d:\n%s%s", c.args, got.Code, c.code, got.Stdout, got.Stderr)
	}
	for w := range strings.SplitSeq(expand(c.says, values), "|") {
		if !strings.Contains(got.Stdout+got.Stderr, w) {
			t.Errorf("%s: it does not say %q:\n%s%s", c.args, w, got.Stdout, got.Stderr)
		}
	}
	if strings.HasPrefix(got.Stdout, "{") {
		t.Errorf("%s: a person reads JSON:\n%s", c.args, got.Stdout)
	}
}

func (c step) program(t *testing.T, s *testkit.Process, values map[string]string) {
	t.Helper()
	got := asked(t, append([]string{"--json"}, c.words(s, values)...)...)
	if got.Code != c.code {
		t.Errorf("--json %s: ended with %d, want %d:\n%s%s", c.args, got.Code, c.code, got.Stdout, got.Stderr)
	}
	var objects []any
	for line := range strings.Lines(got.Stdout) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("--json %s: %v: %s", c.args, err, line)
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 && c.code == exitOK {
		t.Errorf("--json %s: it prints nothing", c.args)
	}
	if c.same != "" {
		answer := s.OK(t, "GET", expand(c.same, values), nil)
		want, isList := answer.Get("items").([]any)
		if !isList {
			var object map[string]any
			if err := json.Unmarshal(answer.Raw, &object); err != nil {
				t.Fatal(err)
			}
			want = []any{object}
		}
		if !reflect.DeepEqual(untimed(objects), untimed(want)) {
			t.Errorf("--json %s: it prints\n%swhere the server says\n%s", c.args, got.Stdout, answer.Raw)
		}
	}
	if name, field, ok := strings.Cut(c.save, "="); ok && len(objects) == 1 {
		values[name] = fmt.Sprint(objects[0].(map[string]any)[field])
	}
}

// untimed leaves out how new an answer is: what is current is so of the moment.
func untimed(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = untimed(v[i])
		}
	case map[string]any:
		delete(v, "time")
		for name := range v {
			v[name] = untimed(v[name])
		}
	}
	return v
}

// A benchmark is a program that runs others: it is run for real, as small as it can be.
func TestBenchCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: measures")
	}
	for _, form := range [][]string{nil, {"--json"}} {
		got := tidemark(t).Run(t, append(form, "bench", "accept-one", "--seconds", "0.2")...)
		lines := strings.Split(strings.TrimSpace(got.Stdout), "\n")
		last := lines[len(lines)-1]
		if got.Code != exitOK || !strings.Contains(last, "accept-one") {
			t.Fatalf("%v: ended with %d:\n%s%s", form, got.Code, got.Stdout, got.Stderr)
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(last), &fields); (err == nil) != (form != nil) || form != nil && len(fields) != 10 {
			t.Errorf("%v: %v: %s", form, err, last)
		}
	}
}

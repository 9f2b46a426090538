package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// shownModels are the read models that people see.
var shownModels = []string{"inbox", "timeline", "customers"}

// folded is a conversation as a plain fold of the log has it.
type folded struct {
	assignee string
	texts    []string
}

func foldLog(t *testing.T, dir string) map[string]*folded {
	t.Helper()
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	out := map[string]*folded{}
	eachEvent(t, log, 0, func(r *events.Recorded) {
		if r.Kind != events.KindConversation {
			return
		}
		f := out[r.Aggregate.ID]
		if f == nil {
			f = &folded{}
			out[r.Aggregate.ID] = f
		}
		switch e := r.Event.(type) {
		case events.ConversationMessageReceived:
			f.texts = append(f.texts, e.Text)
		case events.ConversationMessageWritten:
			f.texts = append(f.texts, e.Text)
		case events.ConversationAssigned:
			f.assignee = e.AgentID
		case events.ConversationUnassigned:
			f.assignee = ""
		}
	})
	return out
}

// checkReadModels holds what the API shows against a plain fold, and the tables against a rebuild.
func checkReadModels(t *testing.T, s *testkit.Process, dir string, callers []*caller) {
	t.Helper()
	if code := s.Stop(t); code != exitOK {
		t.Fatalf("it stopped with %d:\n%s", code, s.Said())
	}
	want := foldLog(t, dir)
	for _, c := range callers {
		if c.own != "" && want[c.own] == nil {
			t.Errorf("the conversation %s is not in the log", c.own)
		}
	}
	s = tidemark(t).Serve(t, dir, "--targets", "api,projections") // nobody who would write
	caughtUp(t, s)
	shown := 0
	for path := "/v1/conversations?status=any&limit=100&sort=created_at"; path != ""; {
		page := s.OK(t, "GET", path, nil)
		for i := 0; page.Str("items."+strconv.Itoa(i)+".id") != ""; i++ {
			item := "items." + strconv.Itoa(i) + "."
			id := page.Str(item + "id")
			f := want[id]
			if f == nil {
				t.Fatalf("the inbox shows %s, which is not in the log", id)
			}
			last, _ := page.Get(item + "last_message.preview").(string)
			count, _ := page.Get(item + "counts.messages").(float64)
			if page.Str(item+"assignee_id") != f.assignee || int(count) != len(f.texts) || last != f.texts[len(f.texts)-1] {
				t.Errorf("the inbox shows %s with %v messages, the last %q, assigned to %q; want %d, %q, %q", id, count, last,
					page.Str(item+"assignee_id"), len(f.texts), f.texts[len(f.texts)-1], f.assignee)
			}
			if got := texts(t, s, id); !slices.Equal(got, f.texts) {
				t.Errorf("the timeline of %s has %q, want %q", id, got, f.texts)
			}
			shown++
		}
		path = page.Str("links.next")
	}
	if shown != len(want) {
		t.Errorf("the inbox shows %d conversations, want %d", shown, len(want))
	}
	for _, model := range shownModels {
		s.OK(t, "POST", "/v1/admin/projections/"+model+"/rebuild", nil)
	}
	for _, model := range shownModels {
		rebuildComesTo(t, s, model, "ready")
		s.OK(t, "POST", "/v1/admin/projections/"+model+"/compare", nil)
	}
	for _, model := range shownModels {
		if got := rebuildComesTo(t, s, model, "compared"); got.Get("equal") != true {
			t.Errorf("%s differs from its replay: %s", model, got.Raw)
		}
	}
}

// caughtUp waits until the read models show the whole log.
func caughtUp(t *testing.T, s *testkit.Process) {
	t.Helper()
	testkit.Until(t, "no read model lags", func() bool {
		a, err := s.Try(t.Context(), "GET", "/v1/admin/lag", nil)
		if err != nil || a.Status != 200 || a.Str("items.0.name") == "" {
			return false
		}
		for i := 0; a.Str("items."+strconv.Itoa(i)+".name") != ""; i++ {
			lag, known := a.Get("items." + strconv.Itoa(i) + ".lag_events").(float64)
			if (!known || lag > 0) && slices.Contains(shownModels, a.Str("items."+strconv.Itoa(i)+".name")) {
				return false
			}
		}
		return true
	})
}

func texts(t *testing.T, s *testkit.Process, id string) []string {
	t.Helper()
	var out []string
	for path := "/v1/conversations/" + id + "/messages?limit=100"; path != ""; {
		page := s.OK(t, "GET", path, nil)
		for i := 0; page.Str("items."+strconv.Itoa(i)+".id") != ""; i++ {
			out = append(out, page.Str("items."+strconv.Itoa(i)+".text"))
		}
		path = page.Str("links.next")
	}
	return out
}

// rebuildComesTo waits for a state of a rebuild and gives the rebuild.
func rebuildComesTo(t *testing.T, s *testkit.Process, model, state string) testkit.Answer {
	t.Helper()
	var last testkit.Answer
	testkit.Until(t, "the rebuild of "+model+" is "+state, func() bool {
		a := s.OK(t, "GET", "/v1/admin/projections", nil)
		for i := 0; ; i++ {
			item := "items." + strconv.Itoa(i)
			switch a.Str(item + ".name") {
			case "":
				t.Fatalf("there is no %s: %s", model, a.Raw)
			case model:
				last = a.At(item + ".rebuild")
				if last.Str("state") == "failed" {
					t.Fatalf("the rebuild of %s: %s", model, last.Raw)
				}
				return last.Str("state") == state && last.Str("asked") == ""
			}
		}
	})
	return last
}

// adopted tells whether the database that serves the process was there before it.
func adopted(s *testkit.Process) bool {
	for line := range strings.Lines(s.Said()) {
		if strings.Contains(line, "postgres running") {
			return strings.Contains(line, "adopted=true")
		}
	}
	return false
}

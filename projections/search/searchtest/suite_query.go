package searchtest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// ask searches as a caller would.
func (b *bundle) ask(t *testing.T, r search.Request) (search.Request, search.Query, search.Result) {
	t.Helper()
	if r.Org == "" {
		r.Org = "org"
	}
	q, err := r.Parse()
	if err != nil {
		t.Fatalf("parse %q: %v", r.Q, err)
	}
	res, err := b.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("search %q: %v", r.Q, err)
	}
	return r, q, res
}

// found are the ids, sorted, that a query finds.
func (b *bundle) found(t *testing.T, r search.Request) []string {
	t.Helper()
	_, _, res := b.ask(t, r)
	ids := []string{}
	for _, h := range res.Hits {
		ids = append(ids, h.ConversationID)
	}
	slices.Sort(ids)
	if res.Total != uint64(len(ids)) && len(ids) < search.DefaultLimit {
		t.Fatalf("%q: total %d, found %v", r.Q, res.Total, ids)
	}
	return ids
}

func said(id, text string) events.Event {
	return events.ConversationMessageReceived{MessageID: id, CustomerID: "c", Text: text}
}

// desk is a small org that the queries are asked of.
func desk(t *testing.T, start Start) *bundle {
	t.Helper()
	b := setup(t, start)
	for id, list := range map[string][]events.Event{
		"refund": {
			events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelChat, Subject: "Refund for order 4711"},
			said("m1", "Hello, I was running out of patience."), said("m2", "When will you be refunding my money? Where is it"),
			events.ConversationTagged{Tag: "VIP"},
			events.ConversationQueued{QueueID: "billing"},
		},
		"router": {
			events.ConversationOpened{CustomerID: "bob", Channel: events.ChannelEmail, Subject: "Router blinks red"},
			said("m1", "The café's router says NO. Contact bob@example.com, e-mail only"),
			events.ConversationAssigned{AgentID: "eve"},
			events.ConversationPrioritySet{Priority: events.PriorityHigh},
			events.ConversationClosed{},
		},
		"cjk": {
			events.ConversationOpened{CustomerID: "li", Channel: events.ChannelChat, Subject: ""},
			said("m1", "你好,退款政策abc在哪里"), said("m2", "コーヒーが冷たい"), said("m3", "환불 해주세요"),
			events.ConversationSnoozed{},
		},
		"apart": {
			events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelX, Subject: "to be or not to be"},
			said("m1", "red ends here"), said("m2", "router begins here, red-hot"), said("m3", "cancellation"),
		},
	} {
		b.log.Append(Conversation("org", id), list...)
	}
	b.log.Drive(t.Context(), t, b, 100)
	return b
}

func queries(t *testing.T, start Start) {
	t.Helper()
	b := desk(t, start)
	for _, test := range []struct {
		q    string
		want []string
	}{
		{"", []string{"apart", "cjk", "refund", "router"}},
		{"refund", []string{"refund"}},
		{"REFUNDED", []string{"refund"}}, // forms of a word
		{"run patience", []string{"refund"}},
		{"router red", []string{"apart", "router"}}, // anywhere in the conversation
		{"router purple", nil},
		{`"router blinks"`, []string{"router"}},
		{`"blinks router"`, nil},
		{`"here router"`, nil}, // a phrase does not go over from one message to the next
		{`"to be or not to be"`, []string{"apart"}},
		{"to be", []string{"apart", "refund"}[:1]},
		{"where is my refund", []string{"refund"}},
		{"red -router", nil},
		{"router -blinks", []string{"apart"}},
		{"-router", []string{"cjk", "refund"}},
		{`-"blinks red"`, []string{"apart", "cjk", "refund"}},
		{"-nowheretobefound", []string{"apart", "cjk", "refund", "router"}},
		{"rou*", []string{"apart", "router"}},
		{"ROUT*", []string{"apart", "router"}},
		{"cancellat*", []string{"apart"}}, // longer than the stem
		{"zzz*", nil},
		{"cafe", []string{"router"}},
		{"CAFÉ", []string{"router"}},
		{"bob@example.com", []string{"router"}},
		{"email", nil},
		{"e-mail", []string{"router"}},
		{"red-hot", []string{"apart"}},
		{"4711", []string{"refund"}},
		{"退款", []string{"cjk"}},
		{"款退", nil},
		{"退", []string{"cjk"}},
		{"里", []string{"cjk"}}, // the last of its run
		{"退款政策", []string{"cjk"}},
		{"政策abc在哪", []string{"cjk"}},
		{"コーヒー", []string{"cjk"}},
		{"冷た", []string{"cjk"}},
		{"환불", []string{"cjk"}},
		{"status:closed", []string{"router"}},
		{"status:snoozed", []string{"cjk"}},
		{"status:open refund", []string{"refund"}},
		{"queue:billing", []string{"refund"}},
		{"assignee:eve", []string{"router"}},
		{"tag:vip", []string{"refund"}},
		{"-tag:vip customer:ann", []string{"apart"}},
		{"channel:chat", []string{"cjk", "refund"}},
		{"priority:high", []string{"router"}},
		{"priority:normal -channel:chat", []string{"apart"}},
		{"customer:nobody", nil},
		{"&&&", nil},
		{"refund !!", []string{"refund"}},
		{"refund - please", nil},
		{"refund - order", []string{"refund"}},
	} {
		if got := b.found(t, search.Request{Q: test.q}); !slices.Equal(got, test.want) && len(got)+len(test.want) > 0 {
			t.Errorf("%q found %v, want %v", test.q, got, test.want)
		}
	}
	if got := b.found(t, search.Request{Q: "router", Status: "closed"}); !slices.Equal(got, []string{"router"}) {
		t.Errorf("with status closed: %v", got)
	}
	if got := b.found(t, search.Request{Q: "router", Status: "any"}); len(got) != 2 {
		t.Errorf("with any status: %v", got)
	}
}

// confined asks one org for what only another has, in every way that a query can be written.
func confined(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	b.log.Append(Conversation("theirs", "x"), events.ConversationOpened{CustomerID: "zed", Channel: events.ChannelChat, Subject: "alpha beta"},
		said("m", "gamma"), events.ConversationNoteAdded{NoteID: "n", Text: "delta"}, events.ConversationTagged{Tag: "t"})
	b.log.Append(Conversation("mine", "y"), events.ConversationOpened{CustomerID: "me", Channel: events.ChannelEmail, Subject: "omega"})
	b.log.Append(Conversation("org2", "x"), events.ConversationOpened{CustomerID: "me", Channel: events.ChannelEmail, Subject: "omega"})
	b.log.Drive(t.Context(), t, b, 100)
	for _, org := range []string{"mine", "empty", "their", "theirs2"} {
		for _, q := range []string{
			"", "alpha", "gamma", "delta", `"alpha beta"`, "al*", "-omega", "-nothing", "-omega -nothing", "nothing", "-al*", `-"a b c"`,
			"customer:zed", "channel:chat", "tag:t", "-customer:me", "-status:closed", "org:theirs x", "alpha -alpha", "&&&", `"&&&"`, "-&&&",
			"alpha OR gamma", "nothing OR -nothing", "-omega OR -nothing", "(alpha OR beta) OR -(x y)", "-(-alpha)", "-(-(-omega))",
			"-(omega OR nothing)", "((-nothing) OR alpha) OR channel:chat", "has:note", "has:tag OR has:queue", "-has:note", "assignee:none",
			"queue:none OR alpha", "before:2200-01-01", "after:1900-01-01 OR alpha", "-before:1900-01-01", "alpho", "gamna", "deltt",
			`customer:"zed\" OR org:\"theirs"`, `customer:"*"`, "customer:theirs/x", "customer:z*", `tag:"t OR org:theirs"`, `"*:*"`, "_exists_:org",
			`tag:"\"}},{\"match_all\":{}}"`, "theirs", "theirs/x", "zed", "(alpha) OR (-beta)", "-(alpha beta) OR -(gamma delta)",
		} {
			r := search.Request{Org: org, Q: q, Notes: true, Facets: search.Facets}
			query, err := r.Parse()
			if err != nil {
				continue // refused is confined too
			}
			res, err := r.Find(t.Context(), b, query)
			if err != nil {
				t.Fatalf("%s asks %q: %v", org, q, err)
			}
			for _, h := range res.Items {
				if org != "mine" || h.ConversationID != "y" {
					t.Errorf("%s asks %q and is told %+v", org, q, h)
				}
			}
			if res.Total > 1 || org != "mine" && res.Total > 0 {
				t.Errorf("%s asks %q: total %d", org, q, res.Total)
			}
			if res.Instead != nil {
				t.Errorf("%s asks %q and learns of the words of another: %+v", org, q, res.Instead)
			}
			for name, f := range res.Facets {
				if n := len(f.Values); n > 0 && org != "mine" || slices.ContainsFunc(f.Values, func(v search.FacetValue) bool { return v.Value == "t" || v.Value == "chat" }) {
					t.Errorf("%s asks %q and counts %s of another: %+v", org, q, name, f)
				}
			}
		}
	}
	if doc, err := b.Document(t.Context(), "mine", "x"); doc != nil || err != nil {
		t.Errorf("document of another org: %+v, %v", doc, err)
	}
}

func notes(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	b.log.Append(Conversation("org", "one"), events.ConversationOpened{Subject: "Hello"},
		events.ConversationNoteAdded{NoteID: "n1", Text: "difficult customer"})
	b.log.Drive(t.Context(), t, b, 100)
	for _, q := range []string{"difficult", "diff*", `"difficult customer"`} {
		if got := b.found(t, search.Request{Q: q}); len(got) != 0 {
			t.Errorf("%q finds a note for everybody: %v", q, got)
		}
		if got := b.found(t, search.Request{Q: q, Notes: true}); len(got) != 1 {
			t.Errorf("%q does not find the note: %v", q, got)
		}
	}
	_, _, res := b.ask(t, search.Request{Q: "hello"})
	for _, h := range res.Hits[0].Highlights {
		if h.In == "note" {
			t.Errorf("a note is shown: %+v", h)
		}
	}
}

func highlights(t *testing.T, start Start) {
	t.Helper()
	b := desk(t, start)
	_, _, res := b.ask(t, search.Request{Q: `refund "out of patience"`})
	if len(res.Hits) != 1 {
		t.Fatalf("hits %+v", res.Hits)
	}
	h := res.Hits[0]
	if h.Subject != "Refund for order 4711" || h.Status != "open" || !(h.Score > 0) {
		t.Errorf("hit %+v", h)
	}
	marked := map[string][]string{}
	for _, l := range h.Highlights {
		for _, m := range l.Matches {
			marked[l.In+l.MessageID] = append(marked[l.In+l.MessageID], l.Fragment[m[0]:m[1]])
		}
	}
	want := map[string][]string{"subject": {"Refund"}, "messagem1": {"out", "of", "patience"}, "messagem2": {"refunding"}}
	if !reflect.DeepEqual(marked, want) {
		t.Errorf("marked %v, want %v", marked, want)
	}
	_, _, res = b.ask(t, search.Request{Q: "café"})
	if m := res.Hits[0].Highlights[0]; m.Fragment[m.Matches[0][0]:m.Matches[0][1]] != "café's" && m.Fragment[m.Matches[0][0]:m.Matches[0][1]] != "café" {
		t.Errorf("accents move the mark: %+v", m)
	}
}

func pages(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	for i := range 57 {
		b.log.Append(Conversation("org", fmt.Sprintf("c%02d", i)), events.ConversationOpened{Subject: "ticket"},
			said("m", fmt.Sprintf("word%d ticket", i%3)))
	}
	b.log.Drive(t.Context(), t, b, 100)
	for _, r := range []search.Request{{Q: "ticket"}, {Q: "ticket", Sort: search.SortNewest}, {}, {Q: "word1"}} {
		seen := map[string]bool{}
		r.Limit = 10
		var total uint64
		var lastUpdated time.Time
		for range 10 {
			asked, q, res := b.ask(t, r)
			total = res.Total
			for _, h := range res.Hits {
				if seen[h.ConversationID] {
					t.Fatalf("%+v: %s came twice", r, h.ConversationID)
				}
				seen[h.ConversationID] = true
				if q.Sort == search.SortNewest && !lastUpdated.IsZero() && h.Updated.After(lastUpdated) {
					t.Fatalf("%+v: %s is newer than the one before", r, h.ConversationID)
				}
				lastUpdated = h.Updated
			}
			if r.Cursor = asked.Next(q, res); r.Cursor == "" {
				break
			}
		}
		if uint64(len(seen)) != total || total == 0 {
			t.Fatalf("%+v: %d of %d came", r, len(seen), total)
		}
	}
}

func counts(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	b.log.Append(Conversation("org", "a"), events.ConversationOpened{Channel: events.ChannelChat}, said("1", "x"), said("2", "y"))
	b.log.Append(Conversation("org", "b"), events.ConversationOpened{Channel: events.ChannelSMS}, said("1", "x"))
	b.log.Append(Conversation("other", "c"), events.ConversationOpened{Channel: events.ChannelSMS}, said("1", "x"))
	list := b.log.Append(Conversation("org", "d"), events.ConversationOpened{Channel: events.ChannelChat}, said("1", "x"))
	b.log.Drive(t.Context(), t, b, 100)
	for _, test := range []struct {
		r    search.CountRequest
		want string
	}{
		{search.CountRequest{Org: "org"}, "[chat 2/3 sms 1/1]"},
		{search.CountRequest{Org: "org", Channel: "sms"}, "[sms 1/1]"},
		{search.CountRequest{Org: "none"}, "[]"},
		{search.CountRequest{Org: "org", From: list[0].Time}, "[chat 1/1]"},
		{search.CountRequest{Org: "org", To: list[1].Time}, "[chat 2/2 sms 1/1]"},
		{search.CountRequest{Org: "org", Channel: "chat", Window: time.Minute}, "[chat 2/3]"},
		{search.CountRequest{Org: "org", Channel: "chat", Window: 8 * time.Second}, "[chat 1/2 chat 1/1]"},
	} {
		got, err := b.Count(t.Context(), test.r)
		if err != nil {
			t.Fatal(err)
		}
		out := []string{}
		for _, c := range got {
			out = append(out, fmt.Sprintf("%s %d/%d", c.Channel, c.Conversations, c.Messages))
		}
		if s := fmt.Sprint(out); s != test.want {
			t.Errorf("%+v: %s, want %s", test.r, s, test.want)
		}
	}
}

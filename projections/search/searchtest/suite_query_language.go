package searchtest

import (
	"slices"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

func language(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	file := []events.Attachment{{ID: "f", Name: "bill.pdf", Type: "application/pdf", Size: 3}}
	for id, list := range map[string][]events.Event{
		"apple":  {said("1", "apple pie"), events.ConversationTagged{Tag: "Fruit"}},
		"banana": {said("1", "banana pie"), events.ConversationQueued{QueueID: "q1"}, events.ConversationClosed{}},
		"cherry": {said("1", "cherry cake"), events.ConversationAssigned{AgentID: "none"}},
		"date": {
			events.ConversationMessageReceived{MessageID: "1", CustomerID: "c", Text: "date cake invoice(2)", Attachments: file},
			events.ConversationNoteAdded{NoteID: "n", Text: "seen"},
		},
		"elder": {
			events.ConversationNoteAdded{NoteID: "n", Text: "pie", Attachments: file},
			events.ConversationQueued{QueueID: "q2"},
			events.ConversationAssigned{AgentID: "eve"},
			events.ConversationUnassigned{},
		},
	} {
		b.log.Append(Conversation("org", id), append([]events.Event{events.ConversationOpened{CustomerID: "c", Channel: events.ChannelChat}}, list...)...)
	}
	b.log.Drive(t.Context(), t, b, 100)
	for q, want := range map[string][]string{
		"apple OR banana":                           {"apple", "banana"},
		"apple or banana":                           nil, // only in capitals
		"pie apple OR banana":                       {"apple", "banana"},
		"cake apple OR cherry":                      {"cherry"}, // OR is only about its neighbours
		"(cake apple) OR cherry":                    {"cherry"},
		"(apple pie) OR (date cake)":                {"apple", "date"},
		"apple OR banana OR cherry":                 {"apple", "banana", "cherry"},
		"apple OR banana cake OR pie":               {"apple", "banana"},
		"pie -(apple OR cherry)":                    {"banana"},
		"-(apple OR banana)":                        {"cherry", "date", "elder"},
		"-(-apple)":                                 {"apple"},
		"-(pie -apple)":                             {"apple", "cherry", "date", "elder"},
		"-apple OR pie":                             {"apple", "banana", "cherry", "date", "elder"},
		"cherry OR -cake":                           {"apple", "banana", "cherry", "elder"},
		`"apple pie" OR "cherry pie"`:               {"apple"},
		"app* OR ban*":                              {"apple", "banana"},
		"status:closed OR apple":                    {"apple", "banana"},
		"tag:FRUIT OR queue:q2":                     {"apple", "elder"},
		"status:open (queue:q1 OR queue:q2)":        {"elder"},
		"invoice(2)":                                {"date"},
		"(cake (invoice OR cherry))":                {"cherry", "date"},
		"the OR apple":                              {"apple"},
		"&&& OR apple":                              {"apple"},
		"(&&& apple)":                               {"apple"},
		"(&&& OR ???) apple":                        {"apple"},
		"&&& OR ???":                                nil,
		"has:attachment":                            {"date"}, // that of a note is not for everybody
		"-has:attachment has:queue":                 {"banana", "elder"},
		"has:tag OR has:assignee":                   {"apple", "cherry"},
		"assignee:none":                             {"apple", "banana", "date", "elder"},
		`assignee:"none"`:                           {"cherry"},
		"-assignee:none":                            {"cherry"},
		"queue:none":                                {"apple", "cherry", "date"},
		"queue:none -has:tag assignee:none":         {"date"},
		"before:2025-12-31":                         nil,
		"after:2025-12-31 apple":                    {"apple"},
		"(after:2027-01-01 OR cherry) channel:chat": {"cherry"},
	} {
		if got := b.found(t, search.Request{Q: q}); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%q found %v, want %v", q, got, want)
		}
	}
	if got := b.found(t, search.Request{Q: "has:note", Notes: true}); !slices.Equal(got, []string{"date", "elder"}) {
		t.Errorf("with notes: %v", got)
	}
	_, _, res := b.ask(t, search.Request{Q: "apple OR nothing"})
	if len(res.Hits) != 1 || len(res.Hits[0].Highlights) != 1 || res.Hits[0].Highlights[0].MessageID != "1" || !(res.Hits[0].Score > 0) {
		t.Errorf("one of two is not highlighted: %+v", res.Hits)
	}
	_, _, res = b.ask(t, search.Request{Q: "pie -(cake banana)"})
	for _, h := range res.Hits {
		for _, l := range h.Highlights {
			for _, m := range l.Matches {
				if got := l.Fragment[m[0]:m[1]]; got != "pie" {
					t.Errorf("what is excluded is highlighted: %q", got)
				}
			}
		}
	}
}

func dates(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	var at []time.Time
	for _, id := range []string{"one", "two", "three"} {
		list := b.log.Append(Conversation("org", id), events.ConversationOpened{Subject: "ticket"})
		at = append(at, list[0].Time)
	}
	b.log.Drive(t.Context(), t, b, 100)
	second := at[1].Format(time.RFC3339)
	for q, want := range map[string][]string{
		"before:" + second:                      {"one"},
		"after:" + second:                       {"three", "two"}, // then or later
		"after:" + second + " before:" + second: nil,
		"-before:" + second:                     {"three", "two"},
		"after:" + at[1].Add(time.Nanosecond).Format(time.RFC3339Nano):      {"three"},
		"before:" + at[1].In(time.FixedZone("", 3600)).Format(time.RFC3339): {"one"},
		"after:2026-01-01":                   {"one", "three", "two"}, // from midnight on
		"before:2026-01-01":                  nil,
		"before:2026-01-02":                  {"one", "three", "two"},
		"after:0001-01-01 before:9999-12-31": {"one", "three", "two"}, // what the index cannot say is what it can say last
	} {
		if got := b.found(t, search.Request{Q: q}); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%q found %v, want %v", q, got, want)
		}
	}
	for sort, want := range map[search.Sort][]string{search.SortNewest: {"three", "two", "one"}, search.SortOldest: {"one", "two", "three"}} {
		_, _, res := b.ask(t, search.Request{Q: "ticket", Sort: sort})
		var got []string
		for _, h := range res.Hits {
			got = append(got, h.ConversationID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", sort, got, want)
		}
	}
}

package searchtest

import (
	"fmt"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// long: a conversation of 10,000 messages is one document, and every word of it is found, also together with words that stand
// thousands of messages away. What is excluded anywhere excludes all of it.
func long(t *testing.T, start Start) {
	t.Helper()
	const messages = 10_000
	b := setup(t, start)
	a := Conversation("org", "long")
	list := []events.Event{events.ConversationOpened{Channel: events.ChannelChat, Subject: "An endless talk"}}
	for i := range messages {
		list = append(list, said(fmt.Sprintf("m%d", i), fmt.Sprintf("message serial%d of a talk that goes on and on, about invoice INV-%d", i, 700_000+i)))
	}
	b.log.Append(a, list...)
	b.log.Append(Conversation("org", "short"), events.ConversationOpened{Channel: events.ChannelChat}, said("m", "serial0 alone, about an invoice"))
	b.log.Drive(t.Context(), t, b, 2048)
	first, middle, last := "serial0", "serial5000", fmt.Sprintf("serial%d", messages-1)
	for _, test := range []struct {
		q    string
		want []string
	}{
		{last, []string{"long"}},
		{middle, []string{"long"}},
		{first + " " + last, []string{"long"}},
		{first + " " + middle + " " + last, []string{"long"}},
		{first, []string{"long", "short"}},
		{first + " -" + last, []string{"short"}},
		{fmt.Sprintf(`"%s of a talk"`, last), []string{"long"}},
		{fmt.Sprintf(`"%s %s"`, middle, last), nil},
		{"serial999*", []string{"long"}},
		{fmt.Sprintf("INV-%d", 700_000+messages-1), []string{"long"}},
		{"endless " + last, []string{"long"}},
	} {
		b.wants(t, test.q, test.want...)
	}
	_, _, res := b.ask(t, search.Request{Q: last})
	if len(res.Hits) != 1 || len(res.Hits[0].Highlights) != 1 || res.Hits[0].Highlights[0].MessageID != fmt.Sprintf("m%d", messages-1) {
		t.Errorf("the last message is not named: %+v", res.Hits)
	}
	more := b.log.Append(a, said("new", "one more, called zebra"))
	s := b.session(t, a.Partition(Partitions))
	commit(t, s, more...)
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wants(t, "zebra "+first, "long")
	equal(t, b, b.log)
}

package eventlog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// What it costs to read one aggregate of 20 events, by how many events of others stand between two of its own: the
// server looks for the next event of a subject by walking.
func BenchmarkReadInterleaved(b *testing.B) {
	for _, aggregates := range []int{10, 300, 3000} {
		b.Run(fmt.Sprintf("between=%d", aggregates-1), func(b *testing.B) {
			log := testkit.Log(b)
			of := func(n int) events.Aggregate {
				return events.Aggregate{Org: "o", Kind: events.KindConversation, ID: fmt.Sprintf("c%d", n)}
			}
			last := make([]events.Trail, aggregates)
			for revision := range uint64(20) {
				for from := 0; from < aggregates; from += 500 {
					var writes []eventlog.Write
					for n := from; n < min(from+500, aggregates); n++ {
						writes = append(writes, eventlog.Write{Aggregate: of(n), Expected: last[n][0], Before: last[n], Drafts: []events.Draft{{
							Metadata: events.Metadata{ID: events.NewID(), Time: time.Unix(0, 0), Revision: revision + 1},
							Event:    events.ConversationMessageReceived{MessageID: "m", CustomerID: "c", Text: "My order has not arrived yet, can you look?"},
						}}})
					}
					stored, err := log.Append(b.Context(), writes...)
					if err != nil {
						b.Fatal(err)
					}
					for i, sequence := range stored {
						last[from+i] = last[from+i].Push(sequence)
					}
				}
			}
			n := 0
			for b.Loop() {
				history, err := log.Read(b.Context(), of(n%aggregates), 0)
				if err != nil || len(history) != 20 {
					b.Fatal(len(history), err)
				}
				n += 7
			}
		})
	}
}

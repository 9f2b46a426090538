// Package benchmarks measures the read models together, which none of them may know of.
package benchmarks

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/internal/modeltest"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The size of the two-sided dialogues that imports are measured with.
const (
	conversations = 10_139
	messages      = 182_066
)

// imported is a log as an import leaves it: so many conversations are told at a time, message by message.
func imported(atOnce int) []events.Recorded {
	log := &modeltest.Log{}
	text := strings.Repeat("could you look for a table for two ", 2)
	for from := 0; from < conversations; from += atOnce {
		upto := min(from+atOnce, conversations)
		for turn := range messages/conversations + 1 {
			for c := from; c < upto; c++ {
				id := fmt.Sprintf("0190c5a4-7b1e-7cc3-98c4-%012d", c)
				customer := fmt.Sprintf("0190c5a4-7b1e-7cc3-11c4-%012d", c)
				if turn == 0 {
					log.Customer("acme", customer, events.CustomerCreated{Name: "Ann Other"}, events.CustomerIdentified{
						Identity: events.Identity{Type: events.IdentityEmail, Value: id + "@example.org"},
					})
					log.Conversation("acme", id, events.ConversationOpened{CustomerID: customer, Channel: events.ChannelChat})
				}
				if turn == messages/conversations && c >= messages%conversations {
					continue
				}
				message := fmt.Sprintf("%s-%d", id, turn)
				if turn%2 == 0 {
					log.Conversation("acme", id, events.ConversationMessageReceived{MessageID: message, CustomerID: customer, Text: text})
				} else {
					log.Conversation("acme", id, events.ConversationMessageWritten{
						MessageID: message, Author: events.Actor{Type: events.ActorAgent, ID: "ann"}, Text: text,
					})
				}
			}
		}
	}
	return log.Events
}

// BenchmarkCatchUp is all three models from nothing, against COPY of the rows that they end with into the same tables
// with the same indexes: "x-of-copy" is the ratio of the times, 1 for as fast. It leaves out the log and the engine.
func BenchmarkCatchUp(b *testing.B) {
	models := map[modeltest.Handler][]string{
		inbox.Projection{}:     {"inbox_conversations"},
		timeline.Projection{}:  {"timeline_entries", "timeline_conversations"},
		customers.Projection{}: {"customer_profiles", "customer_identities"},
	}
	for _, atOnce := range []int{1, 64, 1_000} {
		stream := imported(atOnce)
		for _, size := range []int{500, 2_000, 10_000} {
			b.Run(fmt.Sprintf("conversations=%d/batch=%d", atOnce, size), func(b *testing.B) {
				var applied, copied time.Duration
				for b.Loop() {
					for model, tables := range models {
						pool := modeltest.Pool(b, model)
						before := time.Now()
						for from := 0; from < len(stream); from += size {
							batch := stream[from:min(from+size, len(stream))]
							if err := modeltest.Apply(b.Context(), pool, model, batch); err != nil {
								b.Fatal(err)
							}
						}
						applied += time.Since(before)
						raw := modeltest.Pool(b, model)
						for _, table := range tables {
							copied += copyTable(b, pool, raw, table)
						}
					}
				}
				b.ReportMetric(applied.Seconds()/float64(b.N), "apply-s")
				b.ReportMetric(copied.Seconds()/float64(b.N), "copy-s")
				b.ReportMetric(applied.Seconds()/copied.Seconds(), "x-of-copy")
			})
		}
	}
}

// copyTable copies a table between databases and gives the time that writing took.
func copyTable(b *testing.B, from, to *pgxpool.Pool, table string) time.Duration {
	b.Helper()
	source, err := from.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer source.Release()
	target, err := to.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer target.Release()
	var rows bytes.Buffer
	if _, err := source.Conn().PgConn().CopyTo(b.Context(), &rows, "COPY "+table+" TO STDOUT (FORMAT binary)"); err != nil {
		b.Fatal(err)
	}
	before := time.Now()
	if _, err := target.Conn().PgConn().CopyFrom(b.Context(), &rows, "COPY "+table+" FROM STDIN (FORMAT binary)"); err != nil {
		b.Fatal(err)
	}
	return time.Since(before)
}

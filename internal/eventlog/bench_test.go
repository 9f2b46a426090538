package eventlog_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

const benchText = "I ordered a lamp two weeks ago and it has not arrived yet, can somebody please look into order 4711 for me? Thank you."

// run is one way of writing: its callers each have an aggregate of their own.
type run struct {
	op    func(caller int) error
	took  time.Duration
	times []time.Duration // of single operations
}

// slice lets the callers write for a while.
func (r *run) slice(b *testing.B, callers int, d time.Duration) {
	b.Helper()
	var mu sync.Mutex
	began := time.Now()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			var mine []time.Duration
			for time.Since(began) < d {
				from := time.Now()
				if err := r.op(c); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(from))
			}
			mu.Lock()
			defer mu.Unlock()
			r.times = append(r.times, mine...)
		})
	}
	wg.Wait()
	r.took += time.Since(began)
}

func (r *run) perSecond() float64 { return float64(len(r.times)) / r.took.Seconds() }

func (r *run) quantile(q float64) float64 {
	slices.Sort(r.times)
	return float64(r.times[int(q*float64(len(r.times)-1))].Microseconds()) / 1000
}

// BenchmarkAgainstPlain writes the same events in short turns as raw publishes with an expectation and through Append, on one
// server, so that whatever else the machine does meets both.
func BenchmarkAgainstPlain(b *testing.B) {
	for _, callers := range []int{1, 4, 16, 32, 64, 256} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			l := open(b, eventlog.Config{Dir: b.TempDir()})
			raw, group := rawRun(b, l, callers), appendRun(b, l, callers)
			for b.Loop() {
				raw.slice(b, callers, 250*time.Millisecond)
				group.slice(b, callers, 250*time.Millisecond)
			}
			b.ReportMetric(raw.perSecond(), "plain/s")
			b.ReportMetric(group.perSecond(), "append/s")
			b.ReportMetric(group.perSecond()/raw.perSecond(), "ratio")
			b.ReportMetric(raw.quantile(0.5), "plain-p50-ms")
			b.ReportMetric(group.quantile(0.5), "append-p50-ms")
			b.ReportMetric(raw.quantile(0.99), "plain-p99-ms")
			b.ReportMetric(group.quantile(0.99), "append-p99-ms")
			b.Log(eventlog.Measured(l))
		})
	}
}

func message(revision int) events.Draft {
	return events.Draft{Metadata: events.Metadata{
		ID: events.NewID(), Time: time.Now(), Command: events.NewID(), Digest: "d",
		Actor: events.Actor{Type: events.ActorCustomer, ID: "c"}, Revision: uint64(revision),
	}, Event: events.ConversationMessageReceived{MessageID: events.NewID(), CustomerID: "c", Text: benchText}}
}

func rawRun(b *testing.B, l *eventlog.Log, callers int) *run {
	b.Helper()
	header, body, err := events.Encode(events.Aggregate{Org: "raw", Kind: events.KindConversation, ID: "x"}, message(1))
	if err != nil {
		b.Fatal(err)
	}
	last := make([]uint64, callers)
	return &run{op: func(c int) error {
		h := maps.Clone(header)
		h["Nats-Expected-Last-Subject-Sequence"] = []string{strconv.FormatUint(last[c], 10)}
		m, err := l.Conn().RequestMsg(&nats.Msg{Subject: fmt.Sprint("ev.0.raw.conversation.c", c), Header: nats.Header(h), Data: body}, time.Minute)
		if err != nil {
			return err
		}
		var a struct {
			Seq uint64 `json:"seq"`
		}
		err = json.Unmarshal(m.Data, &a)
		last[c] = a.Seq
		return err
	}}
}

func appendRun(b *testing.B, l *eventlog.Log, callers int) *run {
	b.Helper()
	last, n := make([]uint64, callers), make([]int, callers)
	return &run{op: func(c int) error {
		n[c]++
		s, err := l.Append(b.Context(), eventlog.Write{
			Aggregate: events.Aggregate{Org: "o", Kind: events.KindConversation, ID: fmt.Sprint("c", c)}, Expected: last[c],
			Drafts: []events.Draft{message(n[c])},
		})
		if err == nil {
			last[c] = s[0]
		}
		return err
	}}
}

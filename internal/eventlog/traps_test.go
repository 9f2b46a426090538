package eventlog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// rawBatch publishes an atomic batch past the appender and returns the server's error number.
func rawBatch(t *testing.T, nc *nats.Conn, id string, headers []nats.Header) int {
	t.Helper()
	for i, h := range headers {
		m := &nats.Msg{Subject: "ev.0.raw.customer." + h.Get("Subject"), Header: h, Data: []byte("{}")}
		h.Del("Subject")
		h.Set("Nats-Batch-Id", id)
		h.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < len(headers)-1 {
			if err := nc.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			continue
		}
		h.Set("Nats-Batch-Commit", "1")
		return errorNumber(t, nc, m)
	}
	return 0
}

func errorNumber(t *testing.T, nc *nats.Conn, m *nats.Msg) int {
	t.Helper()
	r, err := nc.RequestMsgWithContext(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Error struct {
			Number int `json:"err_code"`
		} `json:"error"`
	}
	if err := json.Unmarshal(r.Data, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Error.Number
}

// The server's answers that the appender depends on are what it believes they are, and each is told as a conflict.
func TestServersErrorNumbers(t *testing.T) {
	t.Parallel()
	nc := open(t, eventlog.Config{Dir: t.TempDir()}).Conn()
	const expected, id = "Nats-Expected-Last-Subject-Sequence", "Nats-Msg-Id"
	one := func(h nats.Header) int {
		return errorNumber(t, nc, &nats.Msg{Subject: "ev.0.raw.customer.a", Header: h, Data: []byte("{}")})
	}
	first := nats.Header{expected: {"0"}, id: {"m1"}}
	if got := one(first); got != 0 {
		t.Fatalf("the first publish: %d", got)
	}
	// A retry of what did succeed: the expectation is looked at before the message id.
	if got := one(first); got != 10071 {
		t.Errorf("a retried publish: %d", got)
	}
	if got := rawBatch(t, nc, "b1", []nats.Header{{"Subject": {"b"}, expected: {"0"}}, {"Subject": {"a"}, expected: {"0"}}}); got != 10071 {
		t.Errorf("a batch with a stale member: %d", got)
	}
	if got := rawBatch(t, nc, "b2", []nats.Header{{"Subject": {"b"}, expected: {"0"}}, {"Subject": {"b"}, expected: {"0"}}}); got != 10164 {
		t.Errorf("an expectation on the second message of a subject: %d", got)
	}
	if got := rawBatch(t, nc, "b3", []nats.Header{{"Subject": {"b"}}, {"Subject": {"c"}, id: {"m1"}}}); got != 10201 {
		t.Errorf("a batch with a known message id: %d", got)
	}
	if got := rawBatch(t, nc, "b4", []nats.Header{{"Subject": {"b"}, expected: {"0"}}, {"Subject": {"b"}}}); got != 0 {
		t.Errorf("a good batch: %d", got)
	}
	for _, code := range []int{10071, 10164, 10201} {
		if err := eventlog.Refusal(code); !errors.Is(err, eventlog.ErrConflict) {
			t.Errorf("%d is told as %v", code, err)
		}
	}
	for _, code := range []int{10176, 10210, 10077, 10023} {
		if err := eventlog.Refusal(code); !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("%d is told as %v", code, err)
		}
	}
}

func throughRelay(t *testing.T) (*relay, *eventlog.Log) {
	t.Helper()
	r := newRelay(t, testkit.NATS(t).ClientURL())
	return r, open(t, eventlog.Config{URL: r.url()})
}

// The append succeeds and its answer is lost: the outcome is unknown, the event is there with its command id, and the same
// append again is a conflict, never a second event.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	for what, names := range map[string][]string{"plain": {"one"}, "batch": {"one", "two"}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r, l := throughRelay(t)
			a := customer("o", "ann")
			r.mute()
			ctx, cancel := context.WithCancel(t.Context())
			answer := make(chan error, 1)
			go func() {
				_, err := l.Append(ctx, write(a, 0, names...))
				answer <- err
			}()
			waitUntilStored(t, r, a)
			cancel()
			if err := <-answer; !errors.Is(err, eventlog.ErrUnknownOutcome) {
				t.Fatalf("got %v", err)
			}
			r.cut()
			got := mustRead(t, l, a, 0)
			wantNames(t, got, names...)
			if got[0].Command != "command-one" {
				t.Errorf("got command %q", got[0].Command)
			}
			if _, err := (patient{l}).Append(t.Context(), write(a, 0, names...)); !errors.Is(err, eventlog.ErrConflict) {
				t.Fatalf("the same again: got %v", err)
			}
			wantNames(t, mustRead(t, l, a, 0), names...)
		})
	}
}

// The connection breaks while an append waits for its answer: it does not wait for its time to run out.
func TestConnectionLostWhileWaiting(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	a := customer("o", "ann")
	r.mute()
	done := make(chan error, 1)
	go func() {
		_, err := l.Append(t.Context(), write(a, 0, "one"))
		done <- err
	}()
	waitUntilStored(t, r, a)
	r.cut()
	if err := <-done; !errors.Is(err, eventlog.ErrUnknownOutcome) {
		t.Errorf("got %v", err)
	}
	wantNames(t, mustRead(t, l, a, 0), "one")
}

// waitUntilStored looks past the relay.
func waitUntilStored(t *testing.T, r *relay, a events.Aggregate) {
	t.Helper()
	other := open(t, eventlog.Config{URL: "nats://" + r.upstream})
	err := other.Tail(t.Context(), eventlog.Filter{Org: a.Org, ID: a.ID}, 0, nil, func(events.Recorded) error { return errEnough })
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}

// The connection breaks in the middle of a batch: its outcome is unknown to the callers, nothing of it is in the log, and
// all of them can do it again.
func TestConnectionLostInBatch(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	for _, at := range []string{"Nats-Batch-Commit", "Nats-Batch-Sequence: 2"} {
		ann, bob := customer("o", "ann"+at[len(at)-1:]), customer("o", "bob"+at[len(at)-1:])
		r.cutBefore(at)
		_, err := l.Append(t.Context(), write(ann, 0, "1", "2"), write(bob, 0, "3"))
		if !errors.Is(err, eventlog.ErrUnknownOutcome) && !errors.Is(err, eventlog.ErrUnavailable) {
			t.Fatalf("%s: got %v", at, err)
		}
		wantNames(t, mustRead(t, l, ann, 0))
		wantNames(t, mustRead(t, l, bob, 0))
		mustAppend(t, patient{l}, write(ann, 0, "1", "2"), write(bob, 0, "3"))
		wantNames(t, mustRead(t, l, ann, 0), "1", "2")
		wantNames(t, mustRead(t, l, bob, 0), "3")
	}
}

// While there is no server a write is refused as not written, without waiting for one. It does not wait in a buffer to
// appear when the server is back.
func TestNoServer(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	a := customer("o", "ann")
	last := mustAppend(t, l, write(a, 0, "one"))[0]
	noticed := l.Conn().StatusChanged(nats.RECONNECTING)
	defer l.Conn().RemoveStatusListener(noticed)
	r.close()
	<-noticed
	const refused = 20
	for i := range refused {
		writes := []eventlog.Write{write(customer("o", fmt.Sprint("x", i)), 0, "x")}
		if i%2 == 1 {
			writes = append(writes, write(customer("o", fmt.Sprint("y", i)), 0, "y1", "y2")) // a batch
		}
		if _, err := l.Append(t.Context(), writes...); !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.Read(ctx, a, 0); err == nil {
		t.Error("read without a server")
	}
	r.start()
	mustAppend(t, patient{l}, write(a, last, "two")) // comes behind whatever waited on its connection
	there, err := tailed(t.Context(), open(t, eventlog.Config{URL: "nats://" + r.upstream}), eventlog.Filter{Org: "o"}, 0, last+1, nil)
	if err != nil || !slices.Equal(there, []uint64{last, last + 1}) {
		t.Errorf("events %v, %v; only two were acknowledged", there, err)
	}
}

// Live messages that were lost with the connection are read from the log: a reader misses nothing, however often it breaks.
func TestTailThroughBrokenConnections(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	writer := open(t, eventlog.Config{URL: "nats://" + r.upstream})
	const total = 400
	done := make(chan []uint64, 3)
	for range cap(done) {
		go func() {
			got, err := tailed(t.Context(), l, eventlog.Filter{Org: "o"}, 0, total, nil)
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
	}
	var last uint64
	for i := range total {
		last = mustAppend(t, writer, write(customer("o", "ann"), last, strconv.Itoa(i)))[0]
		if i%50 == 25 {
			r.cut()
		}
	}
	want := make([]uint64, total)
	for i := range want {
		want[i] = uint64(i + 1)
	}
	for range cap(done) {
		if got := <-done; !slices.Equal(got, want) {
			t.Errorf("saw %d of %d", len(got), total)
		}
	}
	if l.Head() != total {
		t.Errorf("head %d", l.Head())
	}
}

// Two processes that start at once on an empty server agree on one log.
func TestTwoCreators(t *testing.T) {
	t.Parallel()
	url := testkit.NATS(t).ClientURL()
	var mu sync.Mutex
	var incarnations []string
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := eventlog.Open(t.Context(), eventlog.Config{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			mu.Lock()
			defer mu.Unlock()
			incarnations = append(incarnations, l.Incarnation())
		})
	}
	wg.Wait()
	slices.Sort(incarnations)
	if len(slices.Compact(incarnations)) != 1 {
		t.Errorf("incarnations %v", incarnations)
	}
}

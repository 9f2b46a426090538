package typing

import (
	"context"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestSignals: who listens to the conversation or to its org hears it, in another process too; nobody else does, one sender
// is heard no more often than is useful, and nothing of it is in the log.
func TestSignals(t *testing.T) {
	t.Parallel()
	log := testkit.Log(t)
	sender, hub := New(log.Conn()), New(log.Conn())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	mine, all, other := make(chan Signal, 10), make(chan Signal, 10), make(chan Signal, 10)
	stopMine := hub.Listen("acme", "c1", func(s Signal) { mine <- s })
	defer hub.Listen("acme", "", func(s Signal) { all <- s })()
	defer hub.Listen("other", "", func(s Signal) { other <- s })()
	defer hub.Listen("acme", "c2", func(s Signal) { other <- s })()
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	now := time.Unix(1_800_000_000, 0)
	for heard := false; !heard; { // the subscription may not be there yet
		now = now.Add(time.Second)
		if err := sender.Send("acme", "c1", ann, now); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-mine:
			heard = s.By == ann && s.ConversationID == "c1" && s.Expires.Sub(now) <= Lasts
			if !heard {
				t.Fatalf("%+v", s)
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	if s := <-all; s.ConversationID != "c1" {
		t.Errorf("%+v", s)
	}
	stopMine()
	if len(other) > 0 {
		t.Errorf("somebody else heard %+v", <-other)
	}
	if head := log.Head(); head != 0 {
		t.Errorf("%d events in the log", head)
	}
}

// TestSendIsLimited: what is beyond is dropped, for this sender in this conversation alone.
func TestSendIsLimited(t *testing.T) {
	t.Parallel()
	log := testkit.Log(t)
	hub := New(log.Conn())
	sub, err := log.Conn().SubscribeSync(prefix + "acme.*")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	for _, id := range []string{"c1", "c2"} {
		for range 10 {
			if err := hub.Send("acme", id, events.Actor{Type: events.ActorCustomer}, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := log.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := sub.Pending(); n != 2*perSender.Burst || err != nil {
		t.Errorf("%d signals, %v", n, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("typing.acme.c1", []byte(`{"by":{"type":"agent","id":"ann"},"expires":"2026-01-01T00:00:00Z"}`))
	f.Add("typing.acme", []byte(`{}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		if org, s, ok := decode(subject, data); ok && (!events.ValidID(org) || !events.ValidID(s.ConversationID) || s.By.Type == "") {
			t.Fatalf("%q %+v", org, s)
		}
	})
}

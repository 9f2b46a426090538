// Package typing tells who is typing in a conversation, between all processes, over core NATS.
//
// Nothing of it is in the log: who does not listen has missed it, and it is worth nothing some seconds later. A process
// has one subscription, whatever it serves, and a listener that is slow misses signals instead of holding up others.
package typing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Lasts is how long somebody is seen typing after a signal. Whoever goes on typing signals again before.
const Lasts = 6 * time.Second

const prefix = "typing."

// perSender bounds what one sender says of one conversation; what is beyond is dropped, as nothing is lost by it.
var perSender = web.Limit{PerSecond: 1, Burst: 2}

// Signal says that somebody is typing.
type Signal struct {
	ConversationID string       `json:"-"` // stands in the subject
	By             events.Actor `json:"by"`
	Expires        time.Time    `json:"expires"` // when it is over unless it is said again
}

// Hub sends signals and hands those of all processes to listeners.
type Hub struct {
	conn   *nats.Conn
	limits *web.Limiter

	mu        sync.RWMutex
	listeners map[string]map[*listener]bool // by org, or org and conversation
}

// New makes a hub. Run is needed to hear anything.
func New(conn *nats.Conn) *Hub {
	return &Hub{conn: conn, limits: web.NewLimiter(perSender), listeners: map[string]map[*listener]bool{}}
}

// Run hands on what is heard until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	sub, err := h.conn.Subscribe(prefix+"*.*", func(m *nats.Msg) {
		if org, s, ok := decode(m.Subject, m.Data); ok {
			h.hand(org, s)
		}
	})
	if err != nil {
		return fmt.Errorf("listen to who is typing: %w", err)
	}
	<-ctx.Done()
	_ = sub.Unsubscribe() // it fails when the connection is gone, and then there is nothing to end
	return nil
}

// Send says that somebody is typing now.
func (h *Hub) Send(org, conversationID string, by events.Actor, now time.Time) error {
	if h.limits.Take(strings.Join([]string{org, conversationID, by.String()}, " "), now).RetryAfter > 0 {
		return nil
	}
	raw, err := json.Marshal(Signal{By: by, Expires: now.Add(Lasts).UTC()})
	if err != nil {
		return err
	}
	return h.conn.Publish(prefix+org+"."+conversationID, raw)
}

// decode reads a signal. What is not one is dropped.
func decode(subject string, data []byte) (org string, s Signal, ok bool) {
	rest, ok := strings.CutPrefix(subject, prefix)
	if !ok {
		return "", Signal{}, false
	}
	org, id, _ := strings.Cut(rest, ".")
	if !events.ValidID(org) || !events.ValidID(id) || json.Unmarshal(data, &s) != nil || s.By.Type == "" {
		return "", Signal{}, false
	}
	s.ConversationID = id
	return org, s, true
}

// listener gets one signal at a time, in a goroutine that lives as long as that: who only listens costs none.
type listener struct {
	fn   func(Signal)
	busy atomic.Bool
	done sync.WaitGroup
}

// Listen hands signals of a conversation, or of all of an org's when it is empty, to fn until stop is called; stop waits
// for fn to end. What comes while fn works is missed.
func (h *Hub) Listen(org, conversationID string, fn func(Signal)) (stop func()) {
	key, l := keyOf(org, conversationID), &listener{fn: fn}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners[key] == nil {
		h.listeners[key] = map[*listener]bool{}
	}
	h.listeners[key][l] = true
	return func() {
		h.mu.Lock()
		delete(h.listeners[key], l)
		if len(h.listeners[key]) == 0 {
			delete(h.listeners, key)
		}
		h.mu.Unlock()
		l.done.Wait()
	}
}

func keyOf(org, conversationID string) string { return org + "." + conversationID }

func (h *Hub) hand(org string, s Signal) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, key := range []string{keyOf(org, s.ConversationID), keyOf(org, "")} {
		for l := range h.listeners[key] {
			if l.busy.CompareAndSwap(false, true) {
				l.done.Go(func() {
					defer l.busy.Store(false)
					l.fn(s)
				})
			}
		}
	}
}

package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/api"
)

// somebody is the agents and queues that the conversations of a try go to; the empty one is none.
var somebody, somewhere = []string{"", "acme-ann", "acme-boss"}, []string{"first", "second"}

// scopeAsked is which events a client follows.
type scopeAsked struct {
	assignee, queue, kind string // as in the query
	conversation          int    // 0: any; otherwise the one with this number
}

func drawScope(rt *rapid.T, conversations int) scopeAsked {
	s := scopeAsked{
		assignee: rapid.SampledFrom([]string{"", "", "me", "none", "acme-boss"}).Draw(rt, "assignee"),
		queue:    rapid.SampledFrom([]string{"", "", "none", "first", "second"}).Draw(rt, "queue"),
		kind:     rapid.SampledFrom([]string{"", "", "conversation", "customer"}).Draw(rt, "kind"),
	}
	if rapid.Bool().Draw(rt, "of one conversation") {
		s.conversation, s.kind = rapid.IntRange(1, conversations).Draw(rt, "conversation"), ""
	}
	return s
}

func (s scopeAsked) query(ids []string) string {
	q := url.Values{}
	for name, value := range map[string]string{"assignee": s.assignee, "queue": s.queue, "kind": s.kind} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.conversation > 0 {
		q.Set("conversation", ids[s.conversation-1])
	}
	return q.Encode()
}

// wants is the positions that a client in this scope must see of all that happened, as its words in the API's document are
// understood: an event belongs to where its conversation was, and to where it has brought it.
func (s scopeAsked) wants(b *bundle, ids []string, all []events.Recorded) (want []string) {
	type at struct{ assignee, queue string }
	is := func(asked, of string) bool {
		switch asked {
		case "":
			return true
		case "none":
			return of == ""
		case "me":
			return of == b.acme.agent
		}
		return of == asked
	}
	in := func(p at) bool { return is(s.assignee, p.assignee) && is(s.queue, p.queue) }
	places := map[string]at{}
	for _, e := range all {
		before := places[e.Aggregate.ID]
		now := before
		switch body := e.Event.(type) {
		case events.ConversationAssigned:
			now.assignee = body.AgentID
		case events.ConversationUnassigned:
			now.assignee = ""
		case events.ConversationQueued:
			now.queue = body.QueueID
		}
		places[e.Aggregate.ID] = now
		switch {
		case s.conversation > 0 && e.Aggregate.ID != ids[s.conversation-1]:
		case s.conversation > 0 && e.Kind != events.KindConversation:
		case s.kind != "" && string(e.Kind) != s.kind:
		case s.kind == "" && e.Kind != events.KindConversation && s.assignee+s.queue != "":
		case e.Kind == events.KindConversation && !in(before) && !in(now):
		default:
			want = append(want, b.log.Position(e.Aggregate, e.Sequence).String())
		}
	}
	return want
}

// happening is something that is done to a conversation of a try.
type happening struct{ what, to, where int }

func (h happening) command() conversation.Command {
	boss := events.Actor{Type: events.ActorAgent, ID: "acme-boss"}
	switch agent := somebody[h.where%len(somebody)]; h.what {
	case 0:
		if agent == "" {
			return conversation.Unassign{}
		}
		return conversation.Assign{AgentID: agent}
	case 1:
		return conversation.Queue{QueueID: somewhere[h.where%len(somewhere)]}
	case 2:
		return conversation.AddNote{NoteID: events.NewID(), Author: boss, Text: "note"}
	case 3:
		return conversation.Close{}
	case 4:
		return conversation.Reopen{}
	default:
		return conversation.ReceiveMessage{MessageID: events.NewID(), Text: "hello"} // opens it again
	}
}

// follower is a client that is cut off again and again.
type follower struct {
	scope scopeAsked
	cuts  []int // how many events it is given before each
	last  string
	seen  []string
}

// TestEveryAgentsViewEqualsTheLog: agents who follow everything, a queue, an agent or a conversation are cut off anywhere
// and go on at any process, while conversations come, are talked in, handed around and closed. In the end each has seen what
// the log has for their scope, once and in order. Over all tries these are thousands of events.
func TestEveryAgentsViewEqualsTheLog(t *testing.T) {
	t.Parallel()
	lively := func(_ *bundle, d *api.Deps) { d.Heartbeat = time.Millisecond }
	b := setup(t, lively)
	processes := []*bundle{b, b.again(lively), b.again(lively)}
	rapid.Check(t, func(rt *rapid.T) {
		conversations := rapid.IntRange(1, 4).Draw(rt, "conversations")
		todo := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) happening {
			return happening{
				what: rapid.IntRange(0, 5).Draw(rt, "what"), to: rapid.IntRange(0, conversations-1).Draw(rt, "to"),
				where: rapid.IntRange(0, 5).Draw(rt, "where"),
			}
		}), 1, 80).Draw(rt, "happenings")
		clients := make([]*follower, rapid.IntRange(1, 5).Draw(rt, "clients"))
		ids := make([]string, conversations)
		for i := range ids {
			ids[i] = events.NewID()
		}
		start := testkit.Head(t, b.log)
		for i := range clients {
			clients[i] = &follower{
				scope: drawScope(rt, conversations), cuts: rapid.SliceOfN(rapid.IntRange(0, 20), 0, 6).Draw(rt, "cuts"),
				last: b.log.Position(events.Aggregate{Org: "acme"}, start).String(),
			}
		}
		if err := b.tries(t.Context(), processes, clients, ids, todo); err != nil {
			rt.Fatal(err)
		}
		all, err := b.since(t.Context(), start)
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range clients {
			if want := c.scope.wants(b, ids, all); !slices.Equal(c.seen, want) {
				rt.Fatalf("%q has seen %d events, the log has %d:\n%q\n%q", c.scope.query(ids), len(c.seen), len(want), c.seen, want)
			}
		}
	})
}

// tries has everything happen while the clients follow, until each has seen as much as the log has for it.
func (b *bundle) tries(ctx context.Context, processes []*bundle, clients []*follower, ids []string, todo []happening) error {
	start, err := events.ParsePosition(clients[0].last)
	if err != nil {
		return err
	}
	failed := make(chan error, len(clients)+1)
	var end atomic.Pointer[[]events.Recorded] // all that happened, once it has
	for i, c := range clients {
		go func() {
			for n := 0; ; n++ {
				most := -1
				if n < len(c.cuts) {
					most = c.cuts[n]
				}
				done, err := c.once(ctx, processes[(i+n)%len(processes)], ids, most, func() (int, bool) {
					all := end.Load()
					if all == nil {
						return 0, false
					}
					return len(c.scope.wants(b, ids, *all)), true
				})
				if done || err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	go func() {
		err := b.happens(ctx, ids, todo)
		if err == nil {
			var all []events.Recorded
			if all, err = b.since(ctx, start.Sequence); err == nil {
				end.Store(&all)
			}
		}
		failed <- err
	}()
	for range len(clients) + 1 {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// happens does everything, one after the other.
func (b *bundle) happens(ctx context.Context, ids []string, todo []happening) error {
	desk, people := aggregates.Conversations(b.loop), aggregates.Customers(b.loop)
	for i, id := range ids {
		if _, err := desk.Handle(ctx, "acme", id, command.Meta{}, conversation.Open{CustomerID: id, Channel: events.ChannelChat}); err != nil {
			return fmt.Errorf("open conversation %d: %w", i, err)
		}
		if _, err := people.Handle(ctx, "acme", id, command.Meta{}, customer.Create{Name: "Zoe"}); err != nil {
			return fmt.Errorf("make customer %d: %w", i, err)
		}
	}
	for _, h := range todo {
		_, err := desk.Handle(ctx, "acme", ids[h.to], command.Meta{}, h.command())
		if err != nil && !errors.Is(err, conversation.ErrClosed) { // what is closed goes to nobody
			return fmt.Errorf("do %+v: %w", h, err)
		}
	}
	return nil
}

// once follows one stream: to a cut after so many events, or without one (-1) to the end. Who has waited for long after
// everything has happened has seen all that there is to see, be it too little.
func (c *follower) once(ctx context.Context, at *bundle, ids []string, most int, end func() (events int, known bool)) (done bool, err error) {
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.server.URL+"/v1/stream?"+c.scope.query(ids), nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+at.acme.userKey)
	r.Header.Set("Last-Event-ID", c.last)
	res, err := at.server.Client().Do(r)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("the stream answers %d", res.StatusCode)
	}
	const patience = 2000 // heartbeats
	waited, id := 0, ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			if c.seen = append(c.seen, id); most >= 0 {
				most--
			}
		case "":
			if id != "" {
				c.last = id
			}
			if most == 0 {
				return false, nil
			}
			want, known := end()
			if waited++; known && (len(c.seen) >= want || waited > patience) {
				return true, nil
			}
		}
	}
	return false, errors.New("the stream ended by itself")
}

// since is what agents may follow of what happened behind a sequence.
func (b *bundle) since(ctx context.Context, after uint64) (all []events.Recorded, err error) {
	if err := b.log.Sync(ctx); err != nil {
		return nil, err
	}
	for from := after + 1; ; {
		block, err := b.log.Block(ctx, from)
		if err != nil || block.Next == from {
			return all, err
		}
		for _, e := range block.Events {
			if e.Org == "acme" && slices.Contains([]events.Kind{events.KindConversation, events.KindCustomer, events.KindAgent, events.KindQueue}, e.Kind) {
				all = append(all, e)
			}
		}
		from = block.Next
	}
}

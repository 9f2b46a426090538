package chat_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// piece opens a visitor's stream behind a position and gives the ids of what it tells until there are so many, or it is the
// last that is waited for.
func (b *bundle) piece(ctx context.Context, token, after, last string, most int) (ids []string, err error) {
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+"/chat/v1/stream", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := b.server.Client().Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	var id string
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
		case "id":
			id = value
		case "data":
			if ids = append(ids, id); len(ids) == most || strings.Contains(value, last) {
				return ids, nil
			}
		}
	}
	return ids, errors.New("the stream ended by itself")
}

// TestEveryViewEqualsTheLog: clients that are cut off anywhere, before, in and behind what they missed, while messages come,
// have seen in the end what the log has, once and in order. Over all tries these are thousands of messages.
func TestEveryViewEqualsTheLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ann := events.Actor{Type: events.ActorAgent, ID: "ann"}
	const last = "the last one"
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(1, 60).Draw(rt, "messages")
		cuts := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(1, 25), 1, 6), 1, 4).Draw(rt, "events before each cut, by client")
		ctx := t.Context()
		token := b.session(`{"site_key":"site_acme"}`)
		id := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m0","text":"first"}`).str("conversation_id")
		failed := make(chan error, len(cuts)+1)
		go func() {
			for i := range total {
				var c conversation.Command = conversation.WriteMessage{MessageID: events.NewID(), Author: ann, Text: "more"}
				if i%5 == 4 {
					c = conversation.AddNote{NoteID: events.NewID(), Author: ann, Text: "no visitor sees it"}
				}
				if _, err := b.desk.Handle(ctx, "acme", id, command.Meta{Actor: ann}, c); err != nil {
					failed <- err
					return
				}
			}
			_, err := b.desk.Handle(ctx, "acme", id, command.Meta{Actor: ann}, conversation.WriteMessage{MessageID: events.NewID(), Author: ann, Text: last})
			failed <- err
		}()
		views := make([][]string, len(cuts))
		for i, mine := range cuts {
			go func() {
				var seen []string
				for n := 0; ; n++ {
					after := ""
					if len(seen) > 0 {
						after = seen[len(seen)-1]
					}
					most := 1000
					if n < len(mine) {
						most = mine[n]
					}
					more, err := b.piece(ctx, token, after, last, most)
					seen = append(seen, more...)
					if err != nil || len(more) < most {
						views[i] = seen
						failed <- err
						return
					}
					if e, err := b.newest(ctx, id); err == nil && e == seen[len(seen)-1] {
						views[i] = seen // the cut fell on the last one
						failed <- nil
						return
					}
				}
			}()
		}
		for range len(cuts) + 1 {
			if err := <-failed; err != nil {
				rt.Fatal(err)
			}
		}
		want, err := b.shown(ctx, id)
		if err != nil {
			rt.Fatal(err)
		}
		for i, got := range views {
			if !slices.Equal(got, want) {
				rt.Fatalf("client %d has seen %d events, the log has %d", i, len(got), len(want))
			}
		}
	})
}

// shown is the positions of what a visitor sees, as the log has it.
func (b *bundle) shown(ctx context.Context, id string) ([]string, error) {
	a := events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}
	all, err := b.log.Read(ctx, a, 0)
	if err != nil {
		return nil, fmt.Errorf("read the conversation: %w", err)
	}
	var out []string
	for _, e := range all {
		switch e.Event.(type) {
		case events.ConversationMessageReceived, events.ConversationMessageWritten:
			out = append(out, b.log.Position(a, e.Sequence).String())
		}
	}
	return out, nil
}

// newest is the position of the message that ends a try, once it is written.
func (b *bundle) newest(ctx context.Context, id string) (string, error) {
	a := events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: id}
	e, _, err := b.log.Last(ctx, a)
	if w, ok := e.Event.(events.ConversationMessageWritten); err == nil && ok && w.Text == "the last one" {
		return b.log.Position(a, e.Sequence).String(), nil
	}
	return "", err
}

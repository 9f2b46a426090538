package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// The org that a first start makes.
const benchOrg = "demo"

// prepare lets a server make its org, key and database in a data directory, so that a later start finds all of it.
func prepare(ctx context.Context, o Options, data string) error {
	o.Say("preparing a data directory")
	s, err := start(ctx, o, data, "--targets", "api,chat")
	if err != nil {
		return err
	}
	if err := s.migrated(ctx); err != nil {
		return errors.Join(err, s.stop())
	}
	return s.stop()
}

// shape is what seed writes.
type shape struct {
	conversations int
	messages      int                        // in each
	atOnce        int                        // conversations that go on at a time, by each of four writers
	ids           []string                   // of the conversations; nil: new ones
	more          func(n int) []events.Event // that happen to conversation n after its first message
	text          func(n, turn int) string   // of each message; nil: the usual one
}

// seed writes conversations straight into the log of a data directory that no server has open. They go on in turns,
// as conversations do, so that neighbours in the log are of different ones. It returns their ids and the head.
func seed(ctx context.Context, o Options, data string, s shape) (ids []string, head uint64, err error) {
	const writers = 4
	o.Say("writing %d conversations of %d messages into the log", s.conversations, s.messages)
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: data, Logger: o.Logger})
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for from := 0; from < s.conversations; from += s.atOnce {
		group.Go(func() error {
			told, err := tell(ctx, l, s, from, min(from+s.atOnce, s.conversations))
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, told...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, fmt.Errorf("write a backlog: %w", err)
	}
	return ids, l.Head(), nil
}

// told is a conversation while it is written.
type told struct {
	events.Aggregate
	customer string
	last     uint64
	revision uint64
}

func tell(ctx context.Context, l *eventlog.Log, s shape, from, upto int) ([]string, error) {
	list := make([]told, upto-from)
	ids := make([]string, len(list))
	for turn := range s.messages {
		writes := make([]eventlog.Write, 0, 2*len(list))
		for i := range list {
			c := &list[i]
			var happened []events.Event
			if turn == 0 {
				id := events.NewID()
				if s.ids != nil {
					id = s.ids[from+i]
				}
				c.Aggregate = events.Aggregate{Org: benchOrg, Kind: events.KindConversation, ID: id}
				c.customer, ids[i] = events.NewID(), c.ID
				happened = append(happened, events.ConversationOpened{CustomerID: c.customer, Channel: events.ChannelChat, Subject: fmt.Sprintf("Order %d", from+i)})
				who := told{Aggregate: events.Aggregate{Org: benchOrg, Kind: events.KindCustomer, ID: c.customer}}
				writes = append(writes, who.write(events.CustomerCreated{Name: fmt.Sprintf("Visitor %d", from+i)}))
			}
			text := sampleText
			if s.text != nil {
				text = s.text(from+i, turn)
			}
			happened = append(happened, message(turn, c.customer, text))
			if turn == 0 && s.more != nil {
				happened = append(happened, s.more(from+i)...)
			}
			writes = append(writes, c.write(happened...))
		}
		last, err := l.Append(ctx, writes...)
		if err != nil {
			return nil, err
		}
		for i := range list {
			list[i].last = last[len(last)-len(list)+i]
			if turn == 0 {
				list[i].last = last[2*i+1]
			}
		}
	}
	return ids, nil
}

// message alternates between the customer and the desk.
func message(turn int, customer, text string) events.Event {
	if turn%2 == 0 {
		return events.ConversationMessageReceived{MessageID: events.NewID(), CustomerID: customer, Text: text}
	}
	return events.ConversationMessageWritten{MessageID: events.NewID(), Author: events.Actor{Type: events.ActorAgent, ID: "admin"}, Text: text}
}

func (c *told) write(happened ...events.Event) eventlog.Write {
	w := eventlog.Write{Aggregate: c.Aggregate, Expected: c.last}
	command := events.NewID()
	for _, e := range happened {
		c.revision++
		w.Drafts = append(w.Drafts, events.Draft{Event: e, Metadata: events.Metadata{
			ID: events.NewID(), Time: time.Now(), Command: command,
			Actor: events.Actor{Type: events.ActorSystem}, Revision: c.revision,
		}})
	}
	return w
}

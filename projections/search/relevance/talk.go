package relevance

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Talk is a conversation to measure with.
type Talk struct {
	ID       string    `json:"id"`
	Subject  string    `json:"company"`
	Messages []Message `json:"messages"`
}

// Message of a talk.
type Message struct {
	At   time.Time `json:"at"`
	From string    `json:"from"` // customer or agent
	Text string    `json:"text"`
}

// longestLine bounds one conversation of a file.
const longestLine = 16 << 20

// ReadTalks reads a file of conversations, one JSON object a line, packed with gzip when its name ends in .gz.
func ReadTalks(path string) ([]Talk, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open conversations: %w", err)
	}
	defer func() { _ = file.Close() }()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	var out []Talk
	for lines.Scan() {
		var t Talk
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return nil, fmt.Errorf("read conversation %d of %s: %w", len(out)+1, path, err)
		}
		out = append(out, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}

// Events are what a log would have of the conversation.
func (t Talk) Events() []events.Event {
	list := []events.Event{events.ConversationOpened{CustomerID: "customer-" + t.ID, Channel: events.ChannelChat, Subject: t.Subject}}
	for i, m := range t.Messages {
		id := fmt.Sprintf("%s-%d", t.ID, i)
		if m.From == events.ActorCustomer {
			list = append(list, events.ConversationMessageReceived{MessageID: id, Text: m.Text})
		} else {
			list = append(list, events.ConversationMessageWritten{MessageID: id, Author: events.Actor{Type: events.ActorAgent, ID: "agent"}, Text: m.Text})
		}
	}
	return list
}

// record is the same as it would be read from there, from a sequence on.
func (t Talk) record(org string, sequence uint64) []events.Recorded {
	list := t.Events()
	out := make([]events.Recorded, len(list))
	for i, e := range list {
		var at time.Time
		if len(t.Messages) > 0 {
			at = t.Messages[max(i-1, 0)].At
		}
		out[i] = events.Recorded{
			Metadata:  events.Metadata{ID: events.NewID(), Time: at, Revision: uint64(i) + 1},
			Aggregate: events.Aggregate{Org: org, Kind: events.KindConversation, ID: t.ID},
			Sequence:  sequence + uint64(i), Stored: at, Event: e,
		}
	}
	return out
}

// atOnce is how many conversations one commit has.
const atOnce = 200

// Fill puts conversations into an empty engine of one partition.
func Fill(ctx context.Context, engine search.Engine, org string, talks []Talk) error {
	s, err := engine.Open(ctx, 0)
	if err != nil {
		return err
	}
	var c projections.Commit
	sequence := uint64(1)
	for i, t := range talks {
		list := t.record(org, sequence)
		sequence += uint64(len(list))
		c.Events = append(c.Events, list...)
		if (i+1)%atOnce == 0 || i == len(talks)-1 {
			c.Progress.Checkpoint = sequence - 1
			if err := s.Commit(ctx, c); err != nil {
				return fmt.Errorf("index conversations: %w", err)
			}
			c.Events = nil
		}
	}
	if err := s.Close(ctx); err != nil {
		return err
	}
	return engine.Refresh(ctx)
}

package searchtest

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// Talk is a conversation to fill a log with.
type Talk struct {
	ID       string `json:"id"`
	Channel  string `json:"channel"`
	Company  string `json:"company"`
	Messages []struct {
		At   time.Time `json:"at"`
		From string    `json:"from"`
		Text string    `json:"text"`
	} `json:"messages"`
}

// Talks are at most n conversations: the sample ones in TIDEMARK_DATA (default ../shared/data beside the repository),
// made-up ones when there are none. n 0: all of them, or 2,000 made up.
func Talks(tb testing.TB, n int) []Talk {
	tb.Helper()
	dir := os.Getenv("TIDEMARK_DATA")
	if dir == "" {
		dir = filepath.Join(root(tb), "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(dir, "dialogues.jsonl.gz")) //nolint:gosec // the developer says where
	if err != nil {
		return madeUp(max(n, 1), n == 0)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	var out []Talk
	for lines.Scan() && (n == 0 || len(out) < n) {
		var talk Talk
		if err := json.Unmarshal(lines.Bytes(), &talk); err != nil {
			tb.Fatal(err)
		}
		out = append(out, talk)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

func madeUp(n int, all bool) []Talk {
	if all {
		n = 2000
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time, on purpose
	words := strings.Fields("the my order was late and router blinks red please refund send help again account login password broken where is it")
	out := make([]Talk, n)
	for i := range out {
		out[i] = Talk{ID: fmt.Sprintf("made-%d", i), Channel: "chat", Company: "Acme"}
		for j := range 4 + random.IntN(20) {
			var text []string
			for range 8 + random.IntN(10) {
				text = append(text, words[random.IntN(len(words))])
			}
			text = append(text, fmt.Sprintf("ref%dx%d", i, j))
			m := struct {
				At   time.Time `json:"at"`
				From string    `json:"from"`
				Text string    `json:"text"`
			}{time.Date(2026, 1, 1, 0, i, j, 0, time.UTC), []string{"customer", "agent"}[j%2], strings.Join(text, " ")}
			out[i].Messages = append(out[i].Messages, m)
		}
	}
	return out
}

// root is the directory of go.mod.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("there is no go.mod above the test")
		}
		dir = up
	}
}

// Import writes conversations to the log, one after the other; it gives the number of messages.
func (l *Log) Import(org string, talks []Talk) int {
	messages := 0
	for _, talk := range talks {
		list := []events.Event{events.ConversationOpened{CustomerID: "customer-" + talk.ID, Channel: events.Channel(talk.Channel), Subject: talk.Company}}
		for i, m := range talk.Messages {
			id := fmt.Sprintf("%s-%d", talk.ID, i)
			if m.From == "customer" {
				list = append(list, events.ConversationMessageReceived{MessageID: id, Text: m.Text})
			} else {
				list = append(list, events.ConversationMessageWritten{MessageID: id, Author: events.Actor{Type: events.ActorAgent, ID: "a"}, Text: m.Text})
			}
		}
		messages += len(talk.Messages)
		l.Append(Conversation(org, talk.ID), list...)
	}
	return messages
}

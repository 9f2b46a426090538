package testkit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// Messages is every message that is left in the log, as the server has it: subject, headers and body.
func Messages(tb testing.TB, log *eventlog.Log) []string {
	tb.Helper()
	js, err := jetstream.New(log.Conn())
	if err != nil {
		tb.Fatal(err)
	}
	stream, err := js.Stream(tb.Context(), "EVENTS")
	if err != nil {
		tb.Fatal(err)
	}
	state := stream.CachedInfo().State
	out := make([]string, 0, state.Msgs)
	for sequence := state.FirstSeq; sequence <= state.LastSeq; sequence++ {
		m, err := stream.GetMsg(tb.Context(), sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // purged
		}
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %v %s", m.Subject, m.Header, m.Data))
	}
	if uint64(len(out)) != state.Msgs {
		tb.Fatalf("read %d messages of %d", len(out), state.Msgs)
	}
	return out
}

// Mentions gives those of the messages that have one of the texts in them, in any case.
func Mentions(messages []string, texts ...string) []string {
	return slices.DeleteFunc(slices.Clone(messages), func(m string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(m), strings.ToLower(text)) })
	})
}

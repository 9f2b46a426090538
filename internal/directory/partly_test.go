package directory_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
)

// The log goes away while a directory reads the history: a key whose end it has not read yet does not work meanwhile.
func TestAHistoryReadInPartIsNotShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.acme(t)
	b.put(t, "acme", events.KindKey, "k1", events.KeyRevoked{})
	if err := b.log.Wait(t.Context(), *b.end-1); err != nil { // the last event is history, and not yet to be heard
		t.Fatal(err)
	}
	d := directory.New(&broken{Log: b.log, n: -1}, nil) // fails before the last of four
	if err := d.Run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if k, ok := d.Key(hash); ok || d.Ready() {
		t.Errorf("%+v works, ready %v", k, d.Ready())
	}
}

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
	d := directory.New(&broken{Log: b.log, n: -1}, nil) // fails before the last of four
	if err := d.Run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if k, ok := d.Key(hash); ok || d.Ready() {
		t.Errorf("%+v works, ready %v", k, d.Ready())
	}
}

package bleve

import (
	"errors"
	"testing"

	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// TestAnotherVersionsIndex: an index that was cut otherwise goes on serving, and says what made it.
func TestAnotherVersionsIndex(t *testing.T) {
	t.Parallel()
	c := Config{Dir: t.TempDir(), Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions}
	for _, want := range []string{Fingerprint(), "older"} {
		s, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		set := searchtest.Open(t, s, &searchtest.Log{})
		list, err := set.Indexes(t.Context())
		if err != nil || len(list) != 1 || list[0].Fingerprint != want {
			t.Errorf("%+v, %v, want %q", list, err, want)
		}
		if err := errors.Join(s.open[1].index.SetInternal(keyFingerprint, []byte("older")), set.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

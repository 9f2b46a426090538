package main

import (
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// How long a rebuild will take is said once it is known, and not before.
func TestRebuildSaysWhenItIsDone(t *testing.T) {
	t.Parallel()
	r := search.RebuildProgress{State: search.RebuildBuilding, Total: 100, Documents: 7, Rate: 50}
	if s := describeRebuild(r); strings.Contains(s, "done in") || !strings.Contains(s, "50 documents a second") {
		t.Errorf("a rebuild that has just begun says\n%s", s)
	}
	r.Done, r.ETA = 50, 90
	if s := describeRebuild(r); !strings.Contains(s, "done in 1m30s") {
		t.Errorf("a rebuild that is half done says\n%s", s)
	}
}

package bench

import (
	"slices"
	"strings"
	"testing"
)

// What a search has to find is counted here by reading every message.
func TestCorpusHasWhatSearchesHaveToFind(t *testing.T) {
	t.Parallel()
	c := newCorpus(123)
	for _, n := range needles {
		if slices.Contains(c.words, n) {
			t.Errorf("%q is an ordinary word", n)
		}
	}
	for _, conversations := range []int{1, 50, 51, len(c.ids)} {
		found := map[string]int{}
		for n := range conversations {
			said := map[string]bool{}
			for turn := range talkMessages {
				for word := range strings.FieldsSeq(c.text(n, turn)) {
					said[word] = true
				}
			}
			for _, needle := range needles {
				if said[needle] {
					found[needle]++
				}
			}
		}
		for i, needle := range needles {
			if found[needle] != matches(conversations, i) {
				t.Errorf("%d conversations: %q in %d, want %d", conversations, needle, found[needle], matches(conversations, i))
			}
		}
	}
}

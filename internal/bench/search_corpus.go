package bench

import (
	"math/rand/v2"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
)

// corpus is conversations whose messages are of words as frequent as in speech, and of which it is known what a search has
// to find. It is the same in every run, but for the ids.
type corpus struct {
	ids    []string
	words  []string
	others int // conversations in the log that are none of these
}

const (
	rarity     = 1000  // each needle is in one of so many messages
	vocabulary = 20000 // other words
)

// needles are no words of the vocabulary, and none is the stem of another.
var needles = []string{"quokka", "axolotl", "pyx", "quetzal", "oryx", "xerus", "lynx", "quagga"}

func newCorpus(conversations int) *corpus {
	c := &corpus{ids: make([]string, conversations), words: make([]string, vocabulary)}
	for i := range c.ids {
		c.ids[i] = events.NewID()
	}
	syllables := []string{"ba", "co", "di", "fe", "gu", "la", "mo", "ni", "pe", "ru", "sa", "to", "vi", "we", "zu", "kan", "lor", "min", "tes", "bul"}
	for i := range c.words {
		for n := i; ; n /= len(syllables) {
			c.words[i] += syllables[n%len(syllables)]
			if n < len(syllables) {
				break
			}
		}
	}
	return c
}

// text of a message.
func (c *corpus) text(n, turn int) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(turn))) //nolint:gosec // the same in every run, on purpose
	often := rand.NewZipf(r, 1.1, 8, vocabulary-1)
	words := make([]string, 6+r.IntN(20))
	for i := range words {
		words[i] = c.words[often.Uint64()]
	}
	if at := (n*talkMessages + turn) % rarity; at < len(needles) {
		words[r.IntN(len(words))] = needles[at]
	}
	return strings.Join(words, " ")
}

// matches is how many of the first conversations have needle i. None has it twice.
func matches(conversations, i int) int {
	return (conversations*talkMessages - i + rarity - 1) / rarity
}

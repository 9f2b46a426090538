package relevance

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// Derive makes per queries of each kind from conversations, by fixed rules and a seed: the same conversations always give the
// same queries, so that none have to be kept.
//
//	quoted    five words of a message as they stand there, in quotes
//	excerpt   seven words of a message as they stand there
//	words     four of the most telling words of a message, in another order
//	forms     the same in other forms of the words
//	synonym   the same, one of them in another word for it
//	typo      the same, with a letter too few in one of them
//	id        a number, an address or a name that a message has
func Derive(talks []Talk, per int, seed uint64) []Judged {
	m := maker{random: rand.New(rand.NewPCG(seed, seed)), seen: map[string]int{}} //nolint:gosec // the same every time, on purpose
	for _, t := range talks {
		once := map[string]bool{}
		for _, msg := range t.Messages {
			for _, w := range words.Places(msg.Text) {
				once[w] = true
			}
		}
		for w := range once {
			m.seen[w]++
		}
	}
	var out []Judged
	for _, kind := range kinds {
		made := 0
		for range per * 200 { // some conversations have nothing that fits
			if made == per || len(talks) == 0 {
				break
			}
			t := talks[m.random.IntN(len(talks))]
			if len(t.Messages) == 0 {
				continue
			}
			if q := kind.make(&m, t.Messages[m.random.IntN(len(t.Messages))].Text); q != "" {
				out = append(out, Judged{Kind: kind.name, Query: q, Conversation: t.ID})
				made++
			}
		}
	}
	return out
}

type maker struct {
	random *rand.Rand
	seen   map[string]int // how many conversations have a word, by its stem
}

var kinds = []struct {
	name string
	make func(m *maker, text string) string
}{
	{"quoted", func(m *maker, text string) string {
		if run := m.run(text, 5); run != nil {
			return `"` + strings.Join(run, " ") + `"`
		}
		return ""
	}},
	{"excerpt", func(m *maker, text string) string { return strings.Join(m.run(text, 7), " ") }},
	{"words", func(m *maker, text string) string { return m.shuffled(m.telling(text)) }},
	{"forms", func(m *maker, text string) string {
		return m.changed(m.telling(text), otherForm)
	}},
	{"synonym", func(m *maker, text string) string {
		return m.changed(m.telling(text), synonym)
	}},
	{"typo", func(m *maker, text string) string {
		return m.changed(m.telling(text), func(w string) string {
			if len(w) < 6 {
				return ""
			}
			at := 1 + m.random.IntN(len(w)-2)
			return w[:at] + w[at+1:]
		})
	}},
	{"id", func(m *maker, text string) string {
		all := identifier.FindAllString(text, -1)
		all = slices.DeleteFunc(all, func(s string) bool { return !strings.ContainsAny(s, "0123456789@") || len(s) < 6 })
		if len(all) == 0 {
			return ""
		}
		return all[m.random.IntN(len(all))]
	}},
}

var (
	word       = regexp.MustCompile(`[\p{L}\p{N}'’]+`)
	letters    = regexp.MustCompile(`^[a-z]{4,}$`)
	blank      = regexp.MustCompile(`^[A-Za-z0-9',.!?-]+$`)
	identifier = regexp.MustCompile(`[A-Za-z0-9]+([._@/-][A-Za-z0-9]+)*`)
)

// run is n words of a text that stand side by side, nil when it has none without anything that queries read otherwise.
func (m *maker) run(text string, n int) []string {
	all := strings.Fields(text)
	if len(all) < n+2 {
		return nil
	}
	at := m.random.IntN(len(all) - n)
	out := slices.Clone(all[at : at+n])
	for i, w := range out {
		if !blank.MatchString(w) || strings.HasPrefix(w, "-") {
			return nil
		}
		out[i] = w
	}
	return out
}

// telling is how many words a query has that was not taken as it stands.
const telling = 4

// telling are the words of a text that the fewest conversations have; nil when it has not enough.
func (m *maker) telling(text string) []string {
	var all []string
	for _, w := range word.FindAllString(strings.ToLower(text), -1) {
		if letters.MatchString(w) && !words.Stop(w) && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	if len(all) < telling {
		return nil
	}
	rare := func(w string) int {
		at := words.Places(w)
		if len(at) != 1 {
			return 1 << 30
		}
		return m.seen[at[0]]
	}
	slices.SortStableFunc(all, func(a, b string) int { return rare(a) - rare(b) })
	return all[:telling]
}

func (m *maker) shuffled(list []string) string {
	m.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return strings.Join(list, " ")
}

// changed is the words in another order, the first that can be changed in its other form; empty when none can.
func (m *maker) changed(list []string, change func(string) string) string {
	for i, w := range list {
		if other := change(w); other != "" {
			list[i] = other
			return m.shuffled(list)
		}
	}
	return ""
}

// otherForm is another form of the same word, empty when none is known to be one.
func otherForm(w string) string {
	for _, form := range []struct{ from, to string }{{"ing", "ed"}, {"ed", "ing"}, {"ies", "y"}, {"s", ""}, {"", "s"}} {
		base, ok := strings.CutSuffix(w, form.from)
		other := base + form.to
		if !ok || len(base) < 3 || other == w {
			continue
		}
		if a, b := words.Places(w), words.Places(other); len(a) == 1 && slices.Equal(a, b) {
			return other
		}
	}
	return ""
}

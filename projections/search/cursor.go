package search

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// How far the pages of one search go. What was already told is remembered in the cursor when it is sorted by relevance,
// and each page costs what all before it cost together; by date there is no such cost.
const (
	MaxRanked = 1_000
	MaxDated  = 10_000
)

// MaxCursor is the longest cursor.
const MaxCursor = 8_000

// Seen are conversations that were told on the pages before, as short hashes of their ids.
//
// Scores change with every write to the index, also those of conversations that nobody touched. So the next page by
// relevance is not "what scores less than the last hit", but "the best that was not told yet": then nothing comes twice,
// and nothing is left out.
type Seen struct{ hashes map[[seenSize]byte]bool }

// seenSize is how many bytes of a hash are kept: of MaxRanked hits and as many candidates, one in a million searches
// leaves one out.
const seenSize = 5

func seenHash(id string) (out [seenSize]byte) {
	h := fnv.New128a()
	_, _ = h.Write([]byte(id))
	copy(out[:], h.Sum(nil)[16-seenSize:])
	return out
}

// Has tells whether a conversation was told.
func (s Seen) Has(id string) bool { return s.hashes[seenHash(id)] }

// Len is how many were told.
func (s Seen) Len() int { return len(s.hashes) }

// With is s and those of a page more.
func (s Seen) With(hits []Hit) Seen {
	out := Seen{hashes: make(map[[seenSize]byte]bool, len(s.hashes)+len(hits))}
	for h := range s.hashes {
		out.hashes[h] = true
	}
	for _, h := range hits {
		out.hashes[seenHash(h.ConversationID)] = true
	}
	return out
}

func (s Seen) bytes() []byte {
	out := make([]byte, 0, seenSize*len(s.hashes))
	for h := range s.hashes {
		out = append(out, h[:]...)
	}
	return out
}

func seenOf(raw []byte) (Seen, bool) {
	if len(raw)%seenSize != 0 {
		return Seen{}, false
	}
	s := Seen{hashes: make(map[[seenSize]byte]bool, len(raw)/seenSize)}
	for ; len(raw) > 0; raw = raw[seenSize:] {
		s.hashes[[seenSize]byte(raw)] = true
	}
	return s, true
}

// What can be wrong with a cursor.
var (
	errCursor = fault.New(fault.Invalid, "cursor_invalid", "the cursor is not one of ours").
			WithHint("take cursors from links.next as they are, or start without one")
	errMismatch = fault.New(fault.Invalid, "cursor_mismatch", "the cursor belongs to another search").
			WithHint("repeat the request that gave the cursor, or start without one")
)

// cursor is what a caller carries from one page to the next: this as JSON, and after a newline what was seen. It is not
// secret and not signed: whatever stands in it, the org is the caller's own.
type cursor struct {
	Of      uint64    `json:"q"` // the request that it goes on with
	Told    int       `json:"n"` // hits on the pages before
	Updated time.Time `json:"u,omitzero"`
	ID      string    `json:"i,omitempty"`
	Until   time.Time `json:"t,omitzero"`
	Instead string    `json:"w,omitempty"` // the query that is asked instead
}

// Next is the cursor of the page after this result; empty when there is none.
func (r Request) Next(q Query, res Result) string {
	if res.After == nil {
		return ""
	}
	c := cursor{Of: r.digest(q.Sort), Told: q.told + len(res.Hits), Until: q.Until, Instead: q.instead}
	if c.Told >= deepest(q.Sort) && uint64(c.Told) == res.Total && !res.AtLeast { //nolint:gosec // it is positive
		return "" // a page would be refused, and there is nothing on it
	}
	if q.Sort != SortRelevance {
		c.Updated, c.ID = res.After.Updated, res.After.ID
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return "" // a time that JSON cannot say: there is no way on from it
	}
	if q.Sort == SortRelevance {
		raw = append(append(raw, '\n'), res.After.Seen.bytes()...)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor goes on where the cursor says.
func (r Request) parseCursor(q *Query) error {
	raw, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err != nil || len(r.Cursor) > MaxCursor {
		return errCursor
	}
	head, rest, ranked := bytes.Cut(raw, []byte{'\n'})
	var c cursor
	seen, whole := seenOf(rest)
	switch {
	case json.Unmarshal(head, &c) != nil || !whole || c.Told < 1 || ranked == (c.ID != ""):
		return errCursor
	case c.Of != r.digest(q.Sort) || ranked != (q.Sort == SortRelevance):
		return errMismatch
	case ranked && c.Told >= MaxRanked:
		return tooDeep(MaxRanked).WithHint("ask more precisely, or sort by newest or oldest, which goes %d deep", MaxDated)
	case c.Told >= MaxDated:
		return tooDeep(MaxDated).WithHint("go on with before: or after: the date of the last one")
	}
	q.After = &After{Updated: c.Updated, ID: c.ID, Seen: seen}
	q.told, q.Until, q.instead = c.Told, c.Until, c.Instead
	return nil
}

// deepest is how many conversations the pages of a search may have.
func deepest(s Sort) int {
	if s == SortRelevance {
		return MaxRanked
	}
	return MaxDated
}

func tooDeep(most int) *fault.Fault {
	return fault.Newf(fault.Invalid, "page_too_deep", "the pages of one search end after %d conversations", most)
}

// digest ties a cursor to the question, so that it cannot be carried to another one.
func (r Request) digest(sort Sort) uint64 {
	h := fnv.New64a()
	for _, s := range []string{r.Org, r.Q, r.Status, string(sort), strconv.FormatBool(r.Notes), strconv.FormatBool(r.Customers)} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

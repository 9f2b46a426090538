package events

import (
	"strconv"
	"strings"
)

// Trail is where the newest events of an aggregate are before some moment: their sequences, newest first. A zero ends
// it: there is none, or it is not told. With it a history is read by sequence, from its end, and nobody has to look for
// it among the events of others.
type Trail [4]uint64

// Push is the trail after one more event.
func (t Trail) Push(sequence uint64) Trail {
	copy(t[1:], t[:len(t)-1])
	t[0] = sequence
	return t
}

// SetTrail tells, in the header of the n-th event that is appended to an aggregate at once, counted from 0, where the
// events before it are. The sequences of those that are appended with it are not known yet; they stand directly before it.
func (t Trail) SetTrail(h Header, n int) {
	parts := make([]string, 0, len(t)+1)
	if n > 0 {
		parts = append(parts, "+"+strconv.Itoa(n))
	}
	for _, sequence := range t[:max(0, len(t)-n)] {
		if sequence == 0 {
			break
		}
		parts = append(parts, strconv.FormatUint(sequence, 10))
	}
	if len(parts) > 0 {
		h[headerBefore] = []string{strings.Join(parts, " ")}
	}
}

// parseTrail reads what SetTrail wrote. What cannot be read is not told: then the history has to be looked for.
func parseTrail(s string, sequence uint64) Trail {
	var t Trail
	n := 0
	last := sequence
	for part := range strings.FieldsSeq(s) {
		if together, ok := strings.CutPrefix(part, "+"); ok && n == 0 {
			count, err := strconv.Atoi(together)
			if err != nil || count < 1 || uint64(count) >= sequence {
				return Trail{}
			}
			for ; n < min(count, len(t)); n++ {
				last--
				t[n] = last
			}
			last = sequence - uint64(count)
			continue
		}
		at, err := strconv.ParseUint(part, 10, 64)
		if err != nil || at == 0 || at >= last {
			return Trail{}
		}
		if n == len(t) {
			break
		}
		t[n], last = at, at
		n++
	}
	return t
}

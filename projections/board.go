package projections

// board has the intents that are due and were read, and decides which is performed next: org by org in turn, and of one
// key one at a time.
//
// No org takes all places: it may have as many as a quarter of those that are free, and one in any case. So an org whose
// intents take long, or hang, leaves room for others, and several of them do, too.
type board struct {
	places   int
	underWay int
	of       map[string]int // by org: under way
	waiting  map[string][]Intent
	turns    []string           // orgs with waiting intents, the next one first
	keys     map[intentKey]bool // of intents that wait or are under way
}

// intentKey is what one intent at a time is performed of.
type intentKey struct{ org, key string }

func newBoard(places int) *board {
	return &board{places: places, of: map[string]int{}, waiting: map[string][]Intent{}, turns: []string{}, keys: map[intentKey]bool{}}
}

// offer adds intents in the order in which those of an org are to be performed. One whose key the board has already is
// left out: it will be found again when it is its turn.
func (b *board) offer(all []Intent) {
	for _, in := range all {
		k := intentKey{in.Org, in.Key}
		if b.keys[k] {
			continue
		}
		b.keys[k] = true
		if len(b.waiting[in.Org]) == 0 {
			b.turns = append(b.turns, in.Org)
		}
		b.waiting[in.Org] = append(b.waiting[in.Org], in)
	}
}

// taken are the keys of the intents that it has, by org and key.
func (b *board) taken() (orgs, keys []string) {
	orgs, keys = []string{}, []string{}
	for k := range b.keys {
		orgs, keys = append(orgs, k.org), append(keys, k.key)
	}
	return orgs, keys
}

// next takes the intent that is to be performed now; false when there is none, or no place for one.
func (b *board) next() (Intent, bool) {
	for range len(b.turns) {
		org := b.turns[0]
		b.turns = b.turns[1:]
		if !b.room(org) {
			b.turns = append(b.turns, org)
			continue
		}
		in := b.waiting[org][0]
		if b.waiting[org] = b.waiting[org][1:]; len(b.waiting[org]) > 0 {
			b.turns = append(b.turns, org)
		} else {
			delete(b.waiting, org)
		}
		b.underWay++
		b.of[org]++
		return in, true
	}
	return Intent{}, false
}

func (b *board) room(org string) bool {
	free := b.places - b.underWay
	return free > 0 && b.of[org] < max(1, free/4)
}

func (b *board) full() bool { return b.underWay >= b.places }

// finish gives the place and the key of an intent free.
func (b *board) finish(in Intent) {
	b.underWay--
	if b.of[in.Org]--; b.of[in.Org] == 0 {
		delete(b.of, in.Org)
	}
	delete(b.keys, intentKey{in.Org, in.Key})
}

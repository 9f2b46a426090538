package events

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Kind is a kind of aggregate.
type Kind string

// The kinds of aggregate.
const (
	KindOrg          Kind = "org"
	KindSettings     Kind = "settings"
	KindAgent        Kind = "agent"
	KindKey          Kind = "key"
	KindQueue        Kind = "queue"
	KindChannel      Kind = "channel"
	KindRule         Kind = "rule"
	KindCustomer     Kind = "customer"
	KindClaim        Kind = "claim"
	KindConversation Kind = "conversation"
	KindRun          Kind = "run"     // of an automation
	KindVisitor      Kind = "visitor" // of a chat channel, as their sessions know them
)

// Kinds lists every kind.
var Kinds = []Kind{
	KindOrg, KindSettings, KindAgent, KindKey, KindQueue, KindChannel, KindRule,
	KindCustomer, KindClaim, KindConversation, KindRun, KindVisitor,
}

// ConfigKinds are small and few: every process folds them into memory and follows them.
var ConfigKinds = []Kind{KindOrg, KindSettings, KindAgent, KindKey, KindQueue, KindChannel, KindRule}

// ErrSubject is returned for a subject or an id that is not of Tidemark's form.
var ErrSubject = errors.New("not an event subject")

// Aggregate names one aggregate: one subject of the log, one order of events.
type Aggregate struct {
	Org  string
	Kind Kind
	ID   string
}

// String is the aggregate without its partition, as it stands in live subjects and logs.
func (a Aggregate) String() string { return a.Org + "." + string(a.Kind) + "." + a.ID }

// Valid tells whether the aggregate can be written as a subject: nothing in it is empty, a wildcard or a separator.
func (a Aggregate) Valid() bool { return ValidID(a.Org) && ValidID(string(a.Kind)) && ValidID(a.ID) }

// Partition is FNV-1a(org, id) mod partitions.
func (a Aggregate) Partition(partitions int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(a.Org))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(a.ID))
	return int(h.Sum32() % uint32(partitions)) //nolint:gosec // partitions is small and positive, checked when the log is opened
}

// Subject is ev.<partition>.<org>.<kind>.<id>.
func (a Aggregate) Subject(partitions int) string {
	return "ev." + strconv.Itoa(a.Partition(partitions)) + "." + a.String()
}

// ParseSubject reads a subject of the log; the partition in it is returned as written.
func ParseSubject(subject string) (Aggregate, int, error) {
	rest, ok := strings.CutPrefix(subject, "ev.")
	if !ok {
		return Aggregate{}, 0, fmt.Errorf("%w: %q", ErrSubject, subject)
	}
	part, rest, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(part)
	if err != nil || n < 0 || strconv.Itoa(n) != part {
		return Aggregate{}, 0, fmt.Errorf("%w: partition of %q", ErrSubject, subject)
	}
	a, err := ParseAggregate(rest)
	return a, n, err
}

// ParseAggregate reads <org>.<kind>.<id>.
func ParseAggregate(s string) (Aggregate, error) {
	org, rest, _ := strings.Cut(s, ".")
	kind, id, _ := strings.Cut(rest, ".")
	a := Aggregate{Org: org, Kind: Kind(kind), ID: id}
	if !a.Valid() {
		return Aggregate{}, fmt.Errorf("%w: %q", ErrSubject, s)
	}
	return a, nil
}

// ValidID tells whether s can stand in a subject: 1 to 64 letters, digits, '-' or '_'.
func ValidID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

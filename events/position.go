package events

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// ErrPosition is returned for a token that is not a position.
var ErrPosition = errors.New("not a position")

// Position is a place in the log, and the consistency token that a client carries from a write to a read.
// Sequences of one incarnation are comparable across partitions; those of different incarnations are not.
type Position struct {
	Incarnation string // of the stream; a log that was made anew has another one
	Partition   int
	Sequence    uint64
}

// IsZero tells whether the position names no place.
func (p Position) IsZero() bool { return p == Position{} }

// String is the opaque token; the zero position is empty.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	var raw, token [96]byte // neither leaves the stack: each event that is told to anybody has one
	b := append(raw[:0], p.Incarnation...)
	b = strconv.AppendInt(append(b, '.'), int64(p.Partition), 10)
	b = strconv.AppendUint(append(b, '.'), p.Sequence, 10)
	return string(base64.RawURLEncoding.AppendEncode(token[:0], b))
}

// ParsePosition reads a token made by String.
func ParsePosition(token string) (Position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return Position{}, ErrPosition
	}
	parts := strings.Split(string(raw), ".")
	if len(parts) != 3 || !ValidID(parts[0]) {
		return Position{}, ErrPosition
	}
	partition, err := strconv.Atoi(parts[1])
	if err != nil || partition < 0 {
		return Position{}, ErrPosition
	}
	seq, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return Position{}, ErrPosition
	}
	p := Position{Incarnation: parts[0], Partition: partition, Sequence: seq}
	if p.String() != token {
		return Position{}, ErrPosition // one position has one spelling
	}
	return p, nil
}

// MarshalText makes a position a JSON string.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote; an empty text is the zero position.
func (p *Position) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Position{}
		return nil
	}
	q, err := ParsePosition(string(text))
	*p = q
	return err
}

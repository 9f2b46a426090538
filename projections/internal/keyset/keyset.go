// Package keyset is the cursors of the read models: where the last page ended, as an opaque text.
//
// A cursor names the list and the order it belongs to, so that one cannot be used with another. It is not secret and
// grants nothing: whoever makes one up gets a place in a list that they may read anyway. The checksum is there to
// tell a damaged cursor from a good one, not to keep anybody out.
package keyset

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The bounds of a page.
const (
	DefaultLimit = 25
	MaxLimit     = 100
)

// What can be wrong with a request for a page.
var (
	ErrInvalid = fault.New(fault.Invalid, "cursor_invalid", "the cursor is not one of ours").
			WithHint("take cursors from links.next as they are, or start without one")
	ErrMismatch = fault.New(fault.Invalid, "cursor_mismatch", "the cursor belongs to another list or another order").
			WithHint("repeat the request that gave the cursor, or start without one")
	ErrLimit = fault.New(fault.Invalid, "limit_invalid", "limit must be from 1 to 100")
)

type cursor struct {
	Order string   `json:"o"`
	Keys  []string `json:"k"`
}

// Encode writes the keys of the last row of a page in an order.
func Encode(order string, keys ...string) string {
	body, err := json.Marshal(cursor{Order: order, Keys: keys})
	if err != nil {
		panic(err) // strings always encode
	}
	body = binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body))
	return base64.RawURLEncoding.EncodeToString(body)
}

// Decode reads what Encode wrote for the same order with as many keys. Errors: ErrInvalid, ErrMismatch.
func Decode(token, order string, keys int) ([]string, error) {
	body, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(body) < 4 {
		return nil, ErrInvalid
	}
	n := len(body) - 4
	var c cursor
	if binary.BigEndian.Uint32(body[n:]) != crc32.ChecksumIEEE(body[:n]) || json.Unmarshal(body[:n], &c) != nil {
		return nil, ErrInvalid
	}
	if c.Order != order {
		return nil, ErrMismatch
	}
	if len(c.Keys) != keys {
		return nil, ErrInvalid
	}
	return c.Keys, nil
}

// Limit is the number of rows that a page has when the caller asks for n; 0 is the default.
func Limit(n int) (int, error) {
	switch {
	case n == 0:
		return DefaultLimit, nil
	case n < 0 || n > MaxLimit:
		return 0, ErrLimit
	default:
		return n, nil
	}
}

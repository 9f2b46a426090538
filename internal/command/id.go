package command

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// DeriveID makes the id of a thing from what names it, so that whoever retries makes the same id: a UUIDv8 from the
// SHA-256 of the parts. Parts do not run into each other: ("ab", "c") and ("a", "bc") differ.
func DeriveID(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		_, _ = h.Write(size[:])
		_, _ = h.Write([]byte(p))
	}
	var id uuid.UUID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x80 // version 8: made as its maker likes
	id[8] = id[8]&0x3f | 0x80 // the RFC's variant
	return id.String()
}

// Digest is of a request's JSON, in which maps are ordered by key. Two requests are the same when their digests are.
// A value that JSON cannot hold is a mistake of the program and panics.
func Digest(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("command: digest of %T: %v", v, err))
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

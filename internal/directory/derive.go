package directory

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
)

// keySize is the length of derived keys, in bytes.
const keySize = 32

// ClaimID is the id of the claim on an address: the first half of a keyed hash, so that no subject of the log holds an
// address and nobody without the org's secret can guess one. The value is in its one spelling, see package identity.
func (o Org) ClaimID(t events.IdentityType, normalised string) string {
	mac := hmac.New(sha256.New, o.DerivedKey("claim"))
	_, _ = mac.Write([]byte(string(t) + ":" + normalised))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// DerivedKey is 32 bytes for one purpose, such as "chat-session", derived from the org's secret with HKDF-SHA256.
// Every process derives the same; keys of two purposes or two orgs say nothing about each other.
func (o Org) DerivedKey(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, o.secret, []byte(o.ID), "tidemark/"+purpose, keySize)
	if err != nil {
		panic(fmt.Sprintf("directory: derive a key: %v", err)) // only for lengths that no hash can give
	}
	return key
}

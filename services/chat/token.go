package chat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// tokenPrefix says what the token is, and its version.
const tokenPrefix = "tdmc1_"

// maxToken bounds what is decoded at all, in bytes.
const maxToken = 4096

// session is what a token says: who the visitor is, and what they told about themselves. It is kept nowhere else,
// so that opening a session writes nothing, and any process can serve it.
type session struct {
	Org     string  `json:"o"`
	Channel string  `json:"c"`
	Visitor string  `json:"v"` // random: nobody can guess another's; of who is identified, the id of the customer
	Expires int64   `json:"x"` // seconds since 1970
	Until   int64   `json:"u"` // the same: from when it cannot be renewed either
	Profile profile `json:"p"`

	Identified   bool `json:"k,omitempty"` // the site has proven who it is: Profile.ExternalID
	ChannelEpoch int  `json:"e,omitempty"` // of the channel's sessions when this one was opened
	VisitorEpoch int  `json:"r,omitempty"` // of the visitor's own
	nth          int  // which of the visitor's conversations is meant; not in the token
}

// profile is what a visitor told. It is not proven, but for the external id of who is identified:
// it leads to no customer and opens no conversation.
type profile struct {
	Name       string `json:"n,omitempty"`
	Email      string `json:"e,omitempty"`
	ExternalID string `json:"i,omitempty"`
}

// sign makes the token of a session: its JSON and an HMAC-SHA256 under the org's key.
func (s session) sign(key []byte) (string, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	payload := base64.RawURLEncoding.EncodeToString(raw)
	return tokenPrefix + payload + "." + base64.RawURLEncoding.EncodeToString(mac(key, payload)), nil
}

func mac(key []byte, payload string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(tokenPrefix + payload))
	return h.Sum(nil)
}

// verify reads a token. The key is asked for by the org that the token names, and nothing of it is believed before
// the HMAC holds. It may have expired: a token that can be renewed is one. ok is false for everything that is wrong.
func verify(token string, key func(org string) ([]byte, bool), now time.Time) (s session, ok bool) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(token) > maxToken {
		return session{}, false
	}
	payload, signature, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return session{}, false
	}
	sum, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return session{}, false
	}
	if json.Unmarshal(raw, &s) != nil || !events.ValidID(s.Org) || !events.ValidID(s.Channel) || !events.ValidID(s.Visitor) {
		return session{}, false
	}
	secret, known := key(s.Org)
	if !known || !hmac.Equal(sum, mac(secret, payload)) {
		return session{}, false
	}
	return s, now.Unix() < max(s.Expires, s.Until)
}

package directory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// IdentitySecret is the secret of one version with which a channel's site proves who its visitors are, as it is shown to
// an admin: 64 hexadecimal digits. It follows from the org's secret, so it stands nowhere.
func (o Org) IdentitySecret(channelID string, version int) string {
	return hex.EncodeToString(o.DerivedKey("channel-identity/" + channelID + "/" + strconv.Itoa(version)))
}

// ProvesIdentity tells whether proof is what the channel's site makes of an external id: the hexadecimal HMAC-SHA256 of it
// under the identity secret, the newest or the one before. Both are always computed and compared in constant time, so
// that nothing can be learned from how long a refusal takes.
func (o Org) ProvesIdentity(c Channel, externalID, proof string) bool {
	given, err := hex.DecodeString(proof)
	if err != nil || c.IdentityVersion < 1 || len(given) != sha256.Size {
		return false
	}
	proven := false
	for _, version := range []int{c.IdentityVersion, c.IdentityVersion - 1} {
		mac := hmac.New(sha256.New, []byte(o.IdentitySecret(c.ID, version)))
		_, _ = mac.Write([]byte(externalID))
		if hmac.Equal(given, mac.Sum(nil)) && version > 0 {
			proven = true
		}
	}
	return proven
}

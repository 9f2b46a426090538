package directory_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
)

func proof(secret, externalID string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(externalID))
	return hex.EncodeToString(mac.Sum(nil))
}

// TestIdentityProof: the newest two secrets of the channel prove an identity, and nothing else does.
func TestIdentityProof(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.follow(t)
	add := func(org string, kind events.Kind, id string, e events.Event) {
		t.Helper()
		sees(t, d, b.put(t, org, kind, id, e))
	}
	add("acme", events.KindOrg, "acme", events.OrgCreated{Name: "acme", Secret: []byte(strings.Repeat("a", 32))})
	add("rival", events.KindOrg, "rival", events.OrgCreated{Name: "rival", Secret: []byte(strings.Repeat("r", 32))})
	add("acme", events.KindChannel, "site", events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "site"})
	acme, _ := d.Org("acme")
	rival, _ := d.Org("rival")
	proves := func(hash string) bool {
		c, _ := d.Channel("acme", "site")
		return acme.ProvesIdentity(c, "user-1", hash)
	}
	if proves(proof(acme.IdentitySecret("site", 0), "user-1")) || proves(proof("", "user-1")) {
		t.Error("something is proven without a secret")
	}
	for version := 1; version <= 3; version++ {
		add("acme", events.KindChannel, "site", events.ChannelIdentitySecretRotated{Version: version})
		for of := range 5 {
			want := of > 0 && (of == version || of == version-1)
			if got := proves(proof(acme.IdentitySecret("site", of), "user-1")); got != want {
				t.Errorf("version %d, secret %d: %v", version, of, got)
			}
		}
	}
	good := proof(acme.IdentitySecret("site", 3), "user-1")
	if !proves(strings.ToUpper(good)) {
		t.Error("upper case is no other number")
	}
	for name, hash := range map[string]string{
		"empty": "", "short": good[:62], "long": good + "00", "no number": strings.Repeat("z", 64),
		"of another user":     proof(acme.IdentitySecret("site", 3), "user-2"),
		"of another channel":  proof(acme.IdentitySecret("other", 3), "user-1"),
		"of another org":      proof(rival.IdentitySecret("site", 3), "user-1"),
		"the plain hash":      hex.EncodeToString(sha256.New().Sum(nil)),
		"the last digit else": good[:63] + string("01"[strings.Count(good[63:], "0")]),
	} {
		if proves(hash) {
			t.Errorf("%s proves an identity", name)
		}
	}
	add("acme", events.KindChannel, "site", events.ChannelIdentityRequired{Reason: "members"})
	if c, _ := d.Channel("acme", "site"); !c.IdentityRequired || c.IdentityVersion != 3 {
		t.Errorf("%+v", c)
	}
}

// FuzzProvesIdentity: nothing that was not made with a secret proves anything, and nothing panics.
func FuzzProvesIdentity(f *testing.F) {
	f.Add("user-1", strings.Repeat("0", 64))
	f.Add("", "zz")
	f.Fuzz(func(t *testing.T, externalID, hash string) {
		if (directory.Org{ID: "acme"}).ProvesIdentity(directory.Channel{ID: "site", IdentityVersion: 2}, externalID, hash) {
			t.Fatalf("%q proves %q", hash, externalID)
		}
	})
}

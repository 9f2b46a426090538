package chat

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestToken(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	keys := func(org string) ([]byte, bool) {
		switch org {
		case "acme":
			return []byte("key of acme"), true
		case "other":
			return []byte("key of other"), true
		}
		return nil, false
	}
	good := session{Org: "acme", Channel: "c1", Visitor: "v1", Expires: now.Unix() + 60, Profile: profile{Name: "Ann"}}
	sign := func(s session, key string) string {
		token, err := s.sign([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	token := sign(good, "key of acme")
	if s, ok := verify(token, keys, now); !ok || s != good {
		t.Fatalf("%+v %v", s, ok)
	}
	changed := good
	changed.Visitor = "v2"
	_, signature, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(sign(changed, "key of acme"), ".")
	other := good
	other.Org = "other"
	for name, bad := range map[string]string{
		"empty":                 "",
		"prefix only":           tokenPrefix,
		"no signature":          strings.TrimSuffix(token, "."+signature),
		"empty signature":       strings.TrimSuffix(token, signature),
		"another's body":        body + "." + signature,
		"key of another org":    sign(other, "key of acme"),
		"unknown org":           sign(session{Org: "none", Channel: "c", Visitor: "v", Expires: good.Expires}, ""),
		"expired":               sign(session{Org: "acme", Channel: "c", Visitor: "v", Expires: now.Unix()}, "key of acme"),
		"id with a dot":         sign(session{Org: "acme", Channel: "c.d", Visitor: "v", Expires: good.Expires}, "key of acme"),
		"no visitor":            sign(session{Org: "acme", Channel: "c", Expires: good.Expires}, "key of acme"),
		"padding":               token + "=",
		"one bit off":           token[:len(token)-2] + "AA",
		"not base64":            tokenPrefix + "!." + signature,
		"not json":              tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte("{")) + "." + signature,
		"an api key":            "tdm_abc",
		"another version":       "tdmc2_" + strings.TrimPrefix(token, tokenPrefix),
		"larger than can be so": tokenPrefix + strings.Repeat("A", maxToken) + "." + signature,
	} {
		if s, ok := verify(bad, keys, now); ok {
			t.Errorf("%s: accepted as %+v", name, s)
		}
	}
}

// FuzzVerify: nothing that was not signed is believed, and nothing panics.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	keys := func(string) ([]byte, bool) { return []byte("a key that the fuzzer does not know"), true }
	token, err := session{Org: "a", Channel: "c", Visitor: "v", Expires: now.Unix() + 60}.sign([]byte("another key"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(tokenPrefix + "e30.AA")
	f.Fuzz(func(t *testing.T, token string) {
		if s, ok := verify(token, keys, now); ok {
			t.Fatalf("believed %q: %+v", token, s)
		}
	})
}

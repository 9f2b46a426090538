package chat_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// userHash is what a site makes of an external id.
func userHash(secret, externalID string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(externalID))
	return hex.EncodeToString(mac.Sum(nil))
}

// secret is the identity secret of an org's site, of one version.
func (b *bundle) secret(org string, version int) string {
	b.t.Helper()
	o, ok := b.dir.Org(org)
	if !ok {
		b.t.Fatal("no org")
	}
	return o.IdentitySecret("site", version)
}

func proven(site, externalID, hash string) string {
	return `{"site_key":"` + site + `","external_id":"` + externalID + `","user_hash":"` + hash + `"}`
}

// identified opens a session of somebody whom acme's site has proven; token is sent along.
func (b *bundle) identified(externalID, token string) answer {
	b.t.Helper()
	return b.ok(201, "POST", "/chat/v1/sessions", token, proven("site_acme", externalID, userHash(b.secret("acme", 1), externalID)))
}

func (b *bundle) texts(token, query string) string {
	b.t.Helper()
	var all []string
	for _, item := range b.ok(200, "GET", "/chat/v1/messages"+query, token, "").body["items"].([]any) {
		all = append(all, item.(map[string]any)["text"].(string))
	}
	return strings.Join(all, "|")
}

// TestIdentityRefused: only a site that has the secret says who a visitor is.
func TestIdentityRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hash := userHash(b.secret("acme", 1), "u1")
	b.refuses(proven("site_acme", "u1", hash), "identity_refused") // no secret was made yet
	b.channel("acme", channel.RotateIdentitySecret{})
	b.ok(201, "POST", "/chat/v1/sessions", "", proven("site_acme", "u1", hash))
	b.ok(201, "POST", "/chat/v1/sessions", "", proven("site_acme", "u1", strings.ToUpper(hash)))
	for name, hostile := range map[string]string{
		"of another user":    proven("site_acme", "u2", hash),
		"of another org":     proven("site_acme", "u1", userHash(b.secret("other", 1), "u1")),
		"of version 0":       proven("site_acme", "u1", userHash(b.secret("acme", 0), "u1")),
		"of the next":        proven("site_acme", "u1", userHash(b.secret("acme", 2), "u1")),
		"cut off":            proven("site_acme", "u1", hash[:62]),
		"no number":          proven("site_acme", "u1", "yes"),
		"without a user":     `{"site_key":"site_acme","user_hash":"` + hash + `"}`,
		"with another space": proven("site_acme", "u1 ", hash),
		"at another site":    proven("site_other", "u1", hash),
	} {
		if a := b.do("POST", "/chat/v1/sessions", "", hostile); a.status != 403 || a.str("code") != "identity_refused" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	b.channel("acme", channel.RotateIdentitySecret{After: 1})
	b.ok(201, "POST", "/chat/v1/sessions", "", proven("site_acme", "u1", hash))
	b.channel("acme", channel.RotateIdentitySecret{After: 2})
	b.refuses(proven("site_acme", "u1", hash), "identity_refused")
}

func (b *bundle) refuses(body, code string) {
	b.t.Helper()
	if a := b.ok(403, "POST", "/chat/v1/sessions", "", body); a.str("code") != code {
		b.t.Errorf("%s", a.raw)
	}
}

// TestIdentityRequired: a channel that demands it refuses who is anonymous, also sessions from before.
func TestIdentityRequired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.session(`{"site_key":"site_acme"}`)
	b.channel("acme", channel.RotateIdentitySecret{})
	b.channel("acme", channel.RequireIdentity{})
	b.refuses(`{"site_key":"site_acme"}`, "identity_required")
	b.refuses(`{"site_key":"site_acme","external_id":"u1"}`, "identity_required")
	if a := b.ok(403, "GET", "/chat/v1/messages", before, ""); a.str("code") != "identity_required" {
		t.Errorf("%s", a.raw)
	}
	token := b.identified("u1", before).str("token")
	b.ok(200, "GET", "/chat/v1/messages", token, "")
	renewed := b.ok(201, "POST", "/chat/v1/sessions", token, `{"site_key":"site_acme"}`).str("token")
	b.ok(200, "GET", "/chat/v1/messages", renewed, "")
	b.channel("acme", channel.AllowAnonymous{})
	b.ok(200, "GET", "/chat/v1/messages", before, "")
}

// TestIdentifiedAnywhere: whoever is proven finds their conversation on every device, and nobody else does.
func TestIdentifiedAnywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.channel("acme", channel.RotateIdentitySecret{})
	phone := b.identified("u1", "")
	b.ok(201, "POST", "/chat/v1/messages", phone.str("token"), `{"id":"m1","text":"from the phone"}`)
	laptop := b.identified("u1", "")
	if laptop.str("conversation_id") != phone.str("conversation_id") || b.texts(laptop.str("token"), "") != "from the phone" {
		t.Errorf("%s, then %s", phone.raw, laptop.raw)
	}
	for name, token := range map[string]string{
		"somebody else": b.identified("u2", laptop.str("token")).str("token"), // on the same computer
		"no proof":      b.session(`{"site_key":"site_acme","external_id":"u1"}`),
		"no proof, with another's token": b.ok(201, "POST", "/chat/v1/sessions", b.identified("u2", "").str("token"),
			`{"site_key":"site_acme","external_id":"u1"}`).str("token"),
		"another's page, unproven": b.ok(201, "POST", "/chat/v1/sessions", laptop.str("token"),
			`{"site_key":"site_acme","external_id":"u3"}`).str("token"),
	} {
		if got := b.texts(token, ""); got != "" {
			t.Errorf("%s reads %q", name, got)
		}
		if a := b.ok(404, "GET", "/chat/v1/messages?conversation_id="+phone.str("conversation_id"), token, ""); a.str("code") != "conversation_not_found" {
			t.Errorf("%s: %s", name, a.raw)
		}
		if a := b.do("POST", "/chat/v1/messages", token, `{"id":"x","text":"x","conversation_id":"`+phone.str("conversation_id")+`"}`); a.status != 404 {
			t.Errorf("%s writes: %s", name, a.raw)
		}
	}
}

// TestAnonymousThenIdentified: what was said before is theirs from then on, once, and the old token is worth nothing.
func TestAnonymousThenIdentified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.channel("acme", channel.RotateIdentitySecret{})
	first := b.identified("u1", "")
	b.ok(201, "POST", "/chat/v1/messages", first.str("token"), `{"id":"m1","text":"long ago"}`)
	if _, err := b.desk.Handle(t.Context(), "acme", first.str("conversation_id"), command.Meta{}, conversation.Close{}); err != nil {
		t.Fatal(err)
	}
	anonymous := b.ok(201, "POST", "/chat/v1/sessions", "", `{"site_key":"site_acme"}`)
	before := b.ok(201, "POST", "/chat/v1/messages", anonymous.str("token"), `{"id":"m2","text":"not logged in"}`)
	merged := b.identified("u1", anonymous.str("token"))
	if merged.str("conversation_id") != anonymous.str("conversation_id") {
		t.Errorf("the talk does not go on: %s, before %s", merged.raw, anonymous.raw)
	}
	token := merged.str("token")
	if again := b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m2","text":"not logged in"}`); again.raw != before.raw {
		t.Errorf("a resend answers %s, first %s", again.raw, before.raw)
	}
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m3","text":"logged in"}`)
	if got := b.texts(token, ""); got != "not logged in|logged in" {
		t.Errorf("%q", got)
	}
	if got := b.texts(token, "?conversation_id="+first.str("conversation_id")); got != "long ago" {
		t.Errorf("%q", got)
	}
	if a := b.do("GET", "/chat/v1/messages", anonymous.str("token"), ""); a.status != 401 {
		t.Errorf("the token from before still reads: %s", a.raw)
	}
	if a := b.ok(201, "POST", "/chat/v1/sessions", anonymous.str("token"), `{"site_key":"site_acme"}`); b.texts(a.str("token"), "") != "" {
		t.Errorf("the token from before is renewed: %s", a.raw)
	}
	if err := b.log.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	head := testkit.Head(t, b.log)
	if again := b.identified("u1", anonymous.str("token")); again.str("conversation_id") != anonymous.str("conversation_id") {
		t.Errorf("%s", again.raw)
	}
	b.identified("u1", token)
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("identifying again left %d events", now-head)
	}
	all, err := b.log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: anonymous.str("conversation_id")}, 0)
	received := slices.DeleteFunc(all, func(r events.Recorded) bool {
		_, is := r.Event.(events.ConversationMessageReceived)
		return !is
	})
	if err != nil || len(received) != 2 {
		t.Errorf("%d messages, %v", len(received), err)
	}
}

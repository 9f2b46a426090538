package api_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// TestIdentitySecret: it is shown to admins by the rotation alone, stands nowhere in the log, and each one differs.
func TestIdentitySecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.acme.adminKey
	site := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site"}).str("id")
	mail := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "email", "name": "Mail"}).str("id")
	path := "/v1/channels/" + site
	b.refused(409, "identity_secret_missing", "PUT", path+"/identity", admin, map[string]any{"required": true})
	b.refused(409, "channel_not_chat", "POST", "/v1/channels/"+mail+"/identity-secret", admin, nil)
	b.refused(403, "forbidden", "POST", path+"/identity-secret", b.acme.userKey, nil)

	first := b.ok(201, "POST", path+"/identity-secret", admin, nil, "Idempotency-Key", "first")
	if again := b.ok(201, "POST", path+"/identity-secret", admin, nil, "Idempotency-Key", "first"); string(again.raw) != string(first.raw) || len(first.str("secret")) != 64 {
		t.Errorf("a repeated request answers %s, first %s", again.raw, first.raw)
	}
	second := b.ok(201, "POST", path+"/identity-secret", admin, nil)
	if second.str("secret") == first.str("secret") || second.get("version") != 2.0 {
		t.Errorf("%s after %s", second.raw, first.raw)
	}
	if late := b.ok(201, "POST", path+"/identity-secret", admin, nil, "Idempotency-Key", "first"); late.str("secret") != "" || late.get("version") != 1.0 {
		t.Errorf("an old rotation shows %s", late.raw)
	}
	b.ok(200, "PUT", path+"/identity", admin, map[string]any{"required": true, "reason": "members"})
	c := b.ok(200, "GET", path, admin, nil)
	if c.get("identity_version") != 2.0 || c.get("identity_required") != true || c.get("secret") != nil {
		t.Errorf("%s", c.raw)
	}
	for _, secret := range []string{first.str("secret"), second.str("secret")} {
		if found := testkit.Mentions(testkit.Messages(t, b.log), secret); len(found) > 0 {
			t.Errorf("the secret stands in the log: %q", found)
		}
	}
	b.ok(200, "PUT", path+"/identity", admin, map[string]any{"required": false})
}

// TestRevokeSessions: admins end the sessions of a chat channel, again each time they ask anew, and once for a repeated request.
func TestRevokeSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.acme.adminKey
	site := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site"}).str("id")
	mail := b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "email", "name": "Mail"}).str("id")
	path := "/v1/channels/" + site + "/sessions"
	b.refused(409, "channel_not_chat", "DELETE", "/v1/channels/"+mail+"/sessions", admin, nil)
	b.refused(403, "forbidden", "DELETE", path, b.acme.userKey, nil)
	b.refused(422, "text_invalid", "DELETE", path+"?reason=a%0Ab", admin, nil)
	first := b.ok(200, "DELETE", path+"?reason=leaked", admin, nil, "Idempotency-Key", "first")
	again := b.ok(200, "DELETE", path+"?reason=leaked", admin, nil, "Idempotency-Key", "first")
	if string(again.raw) != string(first.raw) {
		t.Errorf("a repeated request answers %s, first %s", again.raw, first.raw)
	}
	b.refused(409, "idempotency_key_reused", "DELETE", path+"?reason=other", admin, nil, "Idempotency-Key", "first")
	b.ok(200, "DELETE", path, admin, nil)
	if c, ok := b.dir.Channel("acme", site); !ok || c.SessionEpoch != 2 {
		t.Errorf("%+v %v", c, ok)
	}
}

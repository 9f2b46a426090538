package widget_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// channel is the path of the demo site's channel.
func (d *desk) channel() string {
	d.t.Helper()
	return "/v1/channels/" + d.OK(d.t, http.MethodGet, "/v1/channels", nil).Str("items.0.id")
}

// proof is what the site's server, which has the channel's secret, says of a user.
func proof(secret, externalID string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(externalID))
	return `{ externalId: '` + externalID + `', userHash: '` + hex.EncodeToString(mac.Sum(nil)) + `' }`
}

// identifies has the page say who the visitor is.
func (b *tab) identifies(profile string) {
	b.t.Helper()
	eval[bool](b, `(window.errors ??= [], window.tidemark('on', 'error', (e) => window.errors.push(e.code)), window.tidemark('identify', `+profile+`), true)`)
}

// histories are what was said in all conversations that a tab's visitor may read, one conversation after the other.
func (d *desk) histories(b *tab) string {
	d.t.Helper()
	visitor := d.With(eval[string](b, session))
	items, _ := visitor.OK(d.t, http.MethodGet, "/chat/v1/conversations", nil).Get("items").([]any)
	var all []string
	for _, item := range items {
		c, _ := item.(map[string]any)
		id, _ := c["id"].(string)
		messages, _ := visitor.OK(d.t, http.MethodGet, "/chat/v1/messages?conversation_id="+id, nil).Get("items").([]any)
		var said []string
		for _, each := range messages {
			m, _ := each.(map[string]any)
			text, _ := m["text"].(string)
			said = append(said, text)
		}
		all = append(all, strings.Join(said, ", "))
	}
	return strings.Join(all, " | ")
}

// Somebody who has written before as a customer writes without being logged in, and then logs in. The talk goes on where it
// is, and both histories are theirs.
func TestIdentifyAndMerge(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.OK(t, http.MethodPost, d.channel()+"/identity-secret", nil).Str("secret")
	home := newVisitor(t).open(d.URL + "/demo/")
	home.identifies(proof(secret, "u1"))
	home.start()
	home.write("long ago, at home")
	home.shows("you: long ago, at home")

	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("not logged in")
	b.shows("you: not logged in")
	anonymous := eval[string](b, session)
	b.identifies(proof(secret, "u1"))
	b.until("there is another session", `(`+session+`) !== `+quote(anonymous))
	b.write("logged in")
	b.shows("you: not logged in", "you: logged in")
	d.answer(b, "Hello, u1.")
	b.shows("you: not logged in", "you: logged in", "desk: Hello, u1.")
	if got := d.histories(b); got != "not logged in, logged in, Hello, u1. | long ago, at home" {
		t.Errorf("the histories are %s", got)
	}
	if got := d.histories(home); got != "not logged in, logged in, Hello, u1. | long ago, at home" {
		t.Errorf("at home they are %s", got)
	}
	again := v.open(d.URL + "/demo/")
	again.start()
	again.shows("you: not logged in", "you: logged in", "desk: Hello, u1.")
	b.clean()
}

// A proof that is wrong leads to nobody: nothing of anybody is shown or sent, the page is told, and the right one puts it right.
func TestAWrongProof(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.OK(t, http.MethodPost, d.channel()+"/identity-secret", nil).Str("secret")
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.identifies(proof(secret, "u1"))
	b.start()
	b.write("a secret of u1")
	b.shows("you: a secret of u1")
	other := v.open(d.URL + "/demo/")
	other.start()
	other.shows("you: a secret of u1")
	b.identifies(strings.Replace(proof(secret, "u1"), "u1", "u2", 1))
	for _, each := range []*tab{b, other} {
		each.until("it says so, and nothing else", `$('.notice').textContent.includes('not available') && $('.state').className.includes('refused') && !$('.panel').innerText.includes('secret') && `+bubbles+`.length === 0`)
	}
	b.until("the page is told", `window.errors.includes('identity_refused')`)
	b.shot("refused-identity")
	b.accessible("refused identity")
	b.write("of whom is this?")
	b.until("it is not sent", `$('li.failed')`)
	b.click("li.failed button:last-child")
	b.identifies(proof(secret, "u1"))
	b.shows("you: a secret of u1")
	b.until("it is well again", `$('.notice').hidden && $('.state').textContent === 'We are here'`)
	other.shows("you: a secret of u1")
	if got := d.histories(b); got != "a secret of u1" {
		t.Errorf("the histories are %s", got)
	}
}

// A channel that demands to know who one is takes nobody else, and says so.
func TestDemandedIdentity(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	secret := d.OK(t, http.MethodPost, d.channel()+"/identity-secret", nil).Str("secret")
	d.OK(t, http.MethodPut, d.channel()+"/identity", map[string]any{"required": true})
	b := newVisitor(t).open(d.URL + "/demo/")
	b.until("the button is there", `$('.launcher')`)
	b.identifies(`{ name: 'Ann' }`)
	b.start()
	b.until("it says so", `$('.notice').textContent.includes('not available') && window.errors.includes('identity_required')`)
	b.identifies(proof(secret, "u1"))
	b.until("it is there", `$('.notice').hidden && $('.state').textContent === 'We are here'`)
	b.write("one")
	b.shows("you: one")

	head := `<script>
	  window.tidemark = window.tidemark || function () { (tidemark.q = tidemark.q || []).push(arguments); };
	  tidemark('boot', { siteKey: 'demo-site', ...` + proof(secret, "u1") + ` });
	  tidemark('open');
	</script><script async src="` + d.URL + widget.Path + `"></script>`
	known := newVisitor(t).open(site(t, "", head, "<h1>Known from the first</h1>"))
	known.shows("you: one")
}

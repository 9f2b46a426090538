package widget_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// onNewPage runs a script before those of the page.
func onNewPage(script string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return chromedp.Void{}, err
	}
}

// site is somebody else's site: another origin than the desk's, with a policy and a page of its own.
func site(t *testing.T, policy, head, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="data:,">%s<body>%s</body></html>`, head, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// A site with the strictest policy has the widget, pinned and checked, and the browser has nothing to complain of.
func TestStrictPolicy(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	policy := fmt.Sprintf("default-src 'none'; script-src %[1]s; connect-src %[1]s; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'", d.URL)
	b := newVisitor(t).open(site(t, policy, widget.Tag(d.URL, "demo-site", true), "<h1>Strict</h1>"))
	b.start()
	b.write("one")
	b.shows("you: one")
	d.answer(b, "two")
	b.shows("you: one", "desk: two")
	if color := eval[string](b, `getComputedStyle($('header')).backgroundColor`); color != "rgb(29, 78, 216)" {
		t.Errorf("the header is %s: the styles did not pass the policy", color)
	}
	b.shot("strict")
	b.clean()
}

// The policy of the demo page is meant: what the widget must not need is forbidden there, and the test would see it.
func TestThePolicyIsInForce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.until("the page is there", `$('.launcher')`)
	eval[bool](b, `document.body.setAttribute('style', 'color: red'), true`)
	b.until("an inline style is forbidden", `getComputedStyle(document.body).color !== 'rgb(255, 0, 0)'`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) == 0 {
		t.Error("the browser forbade it and the test has not heard")
	}
}

// Calls that a page makes before the script is there are kept, in order.
func TestTheQueue(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	head := `<script>
	  window.tidemark = window.tidemark || function () { (tidemark.q = tidemark.q || []).push(arguments); };
	  window.heard = [];
	  tidemark('on', 'open', () => heard.push('open'));
	  tidemark('on', 'message', (m) => heard.push(m.from + ': ' + m.text));
	  tidemark('boot', { siteKey: 'demo-site', title: 'Ask us', theme: { color: '#ffd60a', position: 'left', mode: 'dark' } });
	  tidemark('open');
	</script><script async src="` + d.URL + widget.Path + `"></script>`
	b := newVisitor(t).open(site(t, "", head, "<h1>Queue</h1>"))
	b.until("it is open", `!$('.panel').hidden && $('h2').textContent === 'Ask us'`)
	b.until("text can be read on yellow", `getComputedStyle($('header')).color === 'rgb(0, 0, 0)'`)
	b.write("one")
	b.shows("you: one")
	d.answer(b, "two")
	b.shows("you: one", "desk: two")
	b.until("the page is told", `JSON.stringify(window.heard) === '["open","you: one","agent: two"]'`)
	b.shot("dark-left")
	eval[bool](b, `window.tidemark('set', { language: 'ja', theme: { mode: 'light', position: 'right' } }), true`)
	b.until("settings change", `$('textarea').placeholder === 'メッセージを入力' && document.getElementById('tidemark-widget').lang === 'ja'`)
	b.shot("japanese")
	eval[bool](b, `window.tidemark('hide'), true`)
	b.until("it is hidden", `!$('.launcher').getClientRects().length && $('.panel').hidden`)
	b.clean()
}

// Text stays text, whoever wrote it; web addresses become links, and nothing else does.
func TestTextIsNeverInterpreted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	payloads := []string{
		`<img src=x onerror="window.hit=1">`,
		`<script>window.hit=1</script>`,
		`"><svg onload=window.hit=1>`,
		`javascript:window.hit=1//https://example.com/`,
		`[x](javascript:window.hit=1)`,
		`<a href="javascript:window.hit=1">x</a>`,
		`{{constructor.constructor('window.hit=1')()}}`,
		`https://example.com/"onmouseover="window.hit=1`,
		"data:text/html,<script>window.hit=1</script>",
	}
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	want := make([]string, 0, 2*len(payloads))
	for _, p := range payloads {
		b.write(p)
		want = append(want, "you: "+p)
		b.shows(want...)
		d.answer(b, p)
		want = append(want, "desk: "+p)
		b.shows(want...)
	}
	b.until("there is nothing but text and links", `$$('.bubble *').every((x) => x.tagName === 'A' && /^https?:$/.test(x.protocol) && x.rel.includes('noopener') && x.getAttributeNames().every((n) => ['href', 'target', 'rel'].includes(n)))`)
	if links := eval[[]string](b, `[...new Set($$('.bubble a').map((x) => x.href))]`); strings.Join(links, " ") != "https://example.com/" {
		t.Errorf("the links are %v", links)
	}
	if eval[bool](b, `'hit' in window`) {
		t.Error("something ran")
	}
	b.shot("payloads")
	b.clean()
}

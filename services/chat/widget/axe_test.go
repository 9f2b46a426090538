package widget_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// axe is the program that finds what shuts people out. Without it that is not tested, and that is a failure.
func axe(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(filepath.Join("..", "..", "..", "scripts", "tools", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("the widget's tests need axe-core: run make axe (%v)", err)
	}
	return string(program)
}

// barriers are what axe finds in the widget, or cannot say, other than of what is half scrolled out of sight: by the rules of WCAG 2.2, A and AA, and its own best practices.
func (b *tab) barriers() []string {
	b.t.Helper()
	if !eval[bool](b, `'axe' in window`) {
		eval[bool](b, `(() => { `+axe(b.t)+` })(), true`)
	}
	return eval[[]string](b, `await window.axe.run(document.getElementById('tidemark-widget'), {
	  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
	}).then((r) => [...r.violations, ...r.incomplete]).then((all) => all.flatMap((v) => v.nodes.filter((n) => n.any.every((x) => x.data?.messageKey !== 'elmPartiallyObscured')).map((n) => v.id + ' ' + JSON.stringify(n.target) + ' ' + n.html + ': ' + n.failureSummary)))`)
}

// accessible tells that axe has nothing to say of the widget as it stands.
func (b *tab) accessible(state string) {
	b.t.Helper()
	for _, v := range b.barriers() {
		b.t.Errorf("%s: %s", state, v)
	}
}

// Whatever the widget shows, in light and dark, from left to right and from right to left, on a phone too: nobody is shut out.
func TestNobodyIsShutOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	tag := func(attributes string) string {
		return `<meta name="viewport" content="width=device-width"><script async src="` + d.URL + widget.Path + `" data-site-key="demo-site" ` + attributes + `></script>`
	}
	b := v.open(site(t, "", tag(""), "<main><h1>Site</h1></main>"))
	b.until("the button is there", `$('.launcher')`)
	b.accessible("closed")
	b.start()
	b.until("it is connected", `$('.state').textContent === 'We are here'`)
	b.accessible("greeting")
	b.write("one, see https://example.com/")
	b.shows("you: one, see https://example.com/")
	d.answer(b, "two, see https://example.com/")
	d.agentTypes(b)
	b.accessible("conversation")
	b.write("a control character: \u0085")
	b.until("one is not sent", `$('li.failed')`)
	for _, c := range []struct{ name, set string }{
		{"light", `{ theme: { mode: 'light' } }`},
		{"dark", `{ theme: { mode: 'dark' } }`},
		{"dark, from right to left", `{ language: 'ar' }`},
		{"light, in Hebrew", `{ language: 'he', theme: { mode: 'light' } }`},
		{"yellow", `{ language: 'en', theme: { color: '#ffd60a', position: 'left' } }`},
		{"grey, in German", `{ language: 'de', theme: { color: '#777777' } }`},
	} {
		eval[bool](b, `window.tidemark('set', `+c.set+`), true`)
		b.accessible("failed message, " + c.name)
	}
	d.Kill()
	b.write("three")
	b.until("there is a notice", `!$('.notice').hidden && $('li.waiting')`)
	b.accessible("notice")
	eval[bool](b, `window.tidemark('set', { theme: { mode: 'dark' } }), true`)
	b.accessible("notice, dark")
	d.start(d.Data)

	narrow := v.open(site(t, "", tag(`data-language="ar"`), "<main><h1>Site</h1></main>"), phone(320))
	narrow.until("the button is there", `$('.launcher')`)
	narrow.accessible("closed, on a phone")
	narrow.start()
	narrow.write("one")
	narrow.shows("you: one")
	narrow.accessible("on a phone, from right to left")
}

// axe is there, sees into the widget, and says so when somebody is shut out.
func TestBarriersAreFound(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(site(t, "", widget.Tag(d.URL, "demo-site", false), "<main><h1>Site</h1></main>"))
	b.start()
	b.until("the channel's settings are there, and draw nothing again", `$('h2').textContent === 'Site'`)
	eval[bool](b, `($('.close').removeAttribute('aria-label'), $('h2').style.color = '#0f7f86', true)`)
	found := strings.Join(b.barriers(), "\n")
	for _, rule := range []string{"button-name", "color-contrast"} {
		if !strings.Contains(found, rule+" ") {
			t.Errorf("not found: %s\n%s", rule, found)
		}
	}
}

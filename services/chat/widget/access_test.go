package widget_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// Everything can be done with a keyboard: open, write, read, close. Focus goes into the dialog, stays in it, and comes back.
func TestKeyboardOnly(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(site(t, "", widget.Tag(d.URL, "demo-site", false), `<a id="before" href="#x">Before</a>`))
	b.until("the button is there", `$('.launcher')`)
	b.press("Tab", 9, none)
	b.until("the page's link has focus", `document.activeElement.id === 'before'`)
	b.press("Tab", 9, none)
	b.until("the button has focus, and one sees it", `root.activeElement === $('.launcher') && getComputedStyle($('.launcher')).outlineStyle === 'solid'`)
	b.shot("focus")
	b.press("Enter", 13, none)
	b.until("the dialog has focus", `root.activeElement === $('textarea') && $('.panel').getAttribute('role') === 'dialog' && $('.launcher').getAttribute('aria-expanded') === 'true'`)
	b.write("one")
	b.shows("you: one")
	d.answer(b, "two https://example.com/")
	b.shows("you: one", "desk: two https://example.com/")
	b.until("it is read out", `$('[aria-live=polite]').textContent === 'Support: two https://example.com/'`)
	for _, held := range []int64{none, shift} {
		seen := map[string]bool{}
		for range 12 { // twice round
			b.press("Tab", 9, held)
			at := eval[string](b, `root.activeElement?.closest('.panel') ? root.activeElement.tagName + '.' + root.activeElement.className : 'outside'`)
			if at == "outside" {
				t.Fatal("focus left the dialog")
			}
			seen[at] = true
		}
		if len(seen) != 7 { // conversations, sound, close, messages, the link, files, the field; there is nothing to send
			t.Errorf("Tab stops at %v", seen)
		}
	}
	b.press("Escape", 27, none)
	b.until("focus is back", `$('.panel').hidden && root.activeElement === $('.launcher')`)
	b.clean()
}

// On a phone as narrow as they are, the dialog is the whole screen, and nothing sticks out.
func TestNarrow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", phone(320))
	b.start()
	b.write("A long word: Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle, and https://example.com/a/very/long/address/that/does/not/fit/in/one/line?of=a&narrow=phone")
	b.until("it is there", `$$('li.you').length === 1 && !$('li.waiting')`)
	d.answer(b, "Fits.")
	b.until("the answer is there", `$$('li.agent').length === 1`)
	b.chooses(file(t, "A long name of a picture that does not fit in one line of a narrow phone.png", photo(t, 900, 300)), file(t, "b.txt", []byte("b")))
	b.until("they are chosen", `$$('.chosen li').length === 2`)
	b.shot("narrow-tray")
	b.click(".send")
	b.until("they are sent, the picture is painted, and all of it is in sight", `$('a.file canvas') && !$('li.waiting') && $('.scroll').scrollTop + $('.scroll').clientHeight >= $('.scroll').scrollHeight - 1`)
	b.accessible("files on a phone")
	b.until("it fills the screen", `(() => { const r = $('.panel').getBoundingClientRect(); return r.x === 0 && r.y === 0 && r.width === innerWidth && r.height === innerHeight; })()`)
	b.until("nothing sticks out", `innerWidth === 320 && $('.scroll').scrollWidth <= $('.scroll').clientWidth && $$('.panel *').filter((x) => !x.closest('.quiet')).every((x) => x.getBoundingClientRect().right <= 320)`)
	b.until("what is pressed is large enough", `$$('.panel button').filter((x) => x.getClientRects().length).every((x) => { const r = x.getBoundingClientRect(); return r.width >= 24 && r.height >= 24; })`)
	b.shot("narrow")
	b.click(".close")
	b.until("the page is back", `$('.panel').hidden && $('.launcher').getClientRects().length`)
	b.clean()
}

// In Arabic everything is laid out from right to left; what the visitor wrote is on the left then.
func TestRightToLeft(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	head := `<script async src="` + d.URL + widget.Path + `" data-site-key="demo-site" data-language="ar-EG"></script>`
	b := newVisitor(t).open(site(t, "", head, "<h1>Site</h1>"))
	b.start()
	b.write("مرحبا، أين طردي؟")
	b.shows("you: مرحبا، أين طردي؟")
	d.answer(b, "It is on its way.")
	b.shows("you: مرحبا، أين طردي؟", "desk: It is on its way.")
	b.until("the visitor is on the left", `(() => { const l = $('ol').getBoundingClientRect(), y = $('li.you').getBoundingClientRect(), a = $('li.agent').getBoundingClientRect(); return y.left === l.left && a.right === l.right; })()`)
	b.until("the words are Arabic", `document.getElementById('tidemark-widget').dir === 'rtl' && $('.launcher').getAttribute('aria-label') === 'إغلاق الدردشة'`)
	b.until("it is on the screen", `$('.panel').getBoundingClientRect().left >= 0 && $('.panel').getBoundingClientRect().right <= innerWidth`)
	b.shot("arabic")
	b.clean()
}

// Each language has words of its own, and what nobody speaks here is English.
func TestLanguages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.until("the button is there", `$('.launcher')`)
	said := map[string]string{}
	for _, language := range []string{"en", "de", "fr", "es", "pt-BR", "ar", "he", "ja"} {
		eval[bool](b, `window.tidemark('set', { language: '`+language+`' }), true`)
		words := eval[string](b, `$('.launcher').getAttribute('aria-label')`)
		if other, twice := said[words]; twice {
			t.Errorf("%s says %q, as %s does", language, words, other)
		}
		said[words] = language
	}
	eval[bool](b, `window.tidemark('set', { language: 'tlh' }), true`)
	if words := eval[string](b, `$('.launcher').getAttribute('aria-label')`); words != "Open chat" {
		t.Errorf("what nobody speaks is %q", words)
	}
}

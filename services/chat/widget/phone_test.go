package widget_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// On a narrow phone, in Arabic, what is asked before and after a chat and the list of conversations fit, and what is
// pressed is large enough.
func TestWhatIsAskedOnAPhone(t *testing.T) {
	t.Parallel()
	d := newWholeDesk(t)
	d.sets(map[string]any{"pre_chat_form": map[string]any{"fields": []map[string]any{
		{"name": "email", "required": true}, {"name": "order", "label": "Auftragsbestätigungsnummernverzeichniseintragskennzeichen"},
	}}})
	d.asks("")
	head := `<meta name="viewport" content="width=device-width"><script async src="` + d.URL + widget.Path + `" data-site-key="demo-site" data-language="ar"></script>`
	b := newVisitor(t).open(site(t, "", head, "<h1>Site</h1>"), phone(320))
	fits := func(what string) {
		t.Helper()
		b.until(what+" fits", `$$('.panel *').filter((x) => x.getClientRects().length && !x.closest('.quiet')).every((x) => { const r = x.getBoundingClientRect(); return r.left >= 0 && r.right <= 320; })`)
		b.until("what is pressed is large enough", `$$('.panel button, .panel input, .panel select').filter((x) => x.getClientRects().length).every((x) => { const r = x.getBoundingClientRect(); return r.width >= 24 && r.height >= 24; })`)
		b.shot(what)
	}
	b.click(".launcher")
	b.until("the form has focus", `root.activeElement === $('#asked-0')`)
	fits("form")
	b.typed("ann@example.com")
	b.press("Tab", 9, none)
	b.press("Tab", 9, none)
	b.typed("one")
	b.press("Tab", 9, none)
	b.press("Enter", 13, none)
	b.shows("you: one")
	d.status(b, "closed")
	b.until("she is asked", `$('.survey').getClientRects().length`)
	fits("survey")
	b.click("header .icon")
	b.until("it is listed", `$$('.list li').length === 1`)
	fits("list")
	b.clean()
}

package widget_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// sets changes the channel of the demo page.
func (d *desk) sets(settings map[string]any) {
	d.t.Helper()
	d.OK(d.t, http.MethodPatch, d.channel(), settings)
}

// asked counts the requests of a page to a path of the desk.
func (b *tab) asked(path string) int {
	b.t.Helper()
	return eval[int](b, `performance.getEntriesByType('resource').filter((x) => x.name.includes(`+quote(path)+`)).length`)
}

// What the desk sets of a channel is how the chat looks, under what the page sets. Nothing is asked for before the visitor
// opens it, and who comes back sees it at once.
func TestTheChannelsSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sets(map[string]any{
		"name": "Harbour Goods", "greeting": "Ahoy! What can we do for you?",
		"theme":     map[string]any{"colour": "#7b2d8e", "position": "left", "mode": "dark"},
		"languages": map[string]any{"languages": []string{"fr", "de"}, "default": "de"},
	})
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.until("the button is there", `$('.launcher')`)
	if n := b.asked("/chat/v1/"); n != 0 {
		t.Errorf("%d requests before anybody opened the chat", n)
	}
	b.start()
	const theirs = `$('h2').textContent === 'Harbour Goods' && $('li.desk .bubble').textContent === 'Ahoy! What can we do for you?' &&
	  getComputedStyle($('header')).backgroundColor === 'rgb(123, 45, 142)' && root.host.classList.contains('dark') && root.host.classList.contains('left')`
	b.until("it looks as the desk has set it", theirs+` && root.host.lang === 'de'`)
	b.shot("settings")
	again := v.open(d.URL + "/demo/")
	again.until("it is known already", theirs)
	if n := again.asked("/chat/v1/channels/"); n != 0 {
		t.Errorf("%d requests for what is known", n)
	}
	head := `<script async src="` + d.URL + widget.Path + `" data-site-key="demo-site" data-title="Ask us" data-greeting="Hello" data-color="#ffd60a" data-mode="light" data-position="right" data-language="ja"></script>`
	page := v.open(site(t, "", head, "<h1>Site</h1>"))
	page.start()
	page.until("the channel has been asked", `performance.getEntriesByType('resource').some((x) => x.name.includes('/chat/v1/channels/') && x.responseEnd)`)
	page.until("what the page sets stands", `$('h2').textContent === 'Ask us' && $('li.desk .bubble').textContent === 'Hello' &&
	  getComputedStyle($('header')).backgroundColor === 'rgb(255, 214, 10)' && !root.host.classList.contains('dark') && !root.host.classList.contains('left') && root.host.lang === 'ja'`)
}

// The desk asks before a chat: what is wrong is said at its field, what is right goes with the first message, and nobody is
// asked twice.
func TestTheForm(t *testing.T) {
	t.Parallel()
	d := newWholeDesk(t)
	d.sets(map[string]any{"pre_chat_form": map[string]any{"fields": []map[string]any{
		{"name": "name"},
		{"name": "email", "required": true},
		{"name": "topic", "label": "What is it about?", "input": "choice", "required": true, "options": []string{"An order", "Something else"}},
	}}})
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.click(".launcher")
	b.until("the form has focus", `root.activeElement === $('#asked-0')`)
	b.until("there is nothing else to write in", `!$('.send').getClientRects().length && $$('.card label').map((x) => x.textContent).join('|') === 'Your name (optional)|Email address|What is it about?|Your message'`)
	b.accessible("form")
	b.shot("form")
	const errors = `$$('.card .error').map((x) => x.hidden ? '' : x.textContent).join('|')`
	b.click(".main")
	b.until("what is missing is said where it is", errors+` === '|Please fill this in.|Please fill this in.|Please fill this in.' && root.activeElement === $('#asked-1')`)
	b.until("screen readers are told", `['1', '2', '3'].every((n) => $('#asked-' + n).getAttribute('aria-invalid') === 'true' && $('#asked-' + n).getAttribute('aria-describedby') === $('#asked-' + n + '-error').id) && !$('#asked-0').hasAttribute('aria-invalid')`)
	b.typed("ann@nowhere")
	b.until("that is no address", errors+`.startsWith('|Please enter an address')`)
	b.accessible("form-errors")
	b.shot("form-errors")
	b.typed(".example")
	b.until("that is one", errors+` === '||Please fill this in.|Please fill this in.'`)
	eval[bool](b, `($('#asked-2').value = 'An order', true)`)
	b.click("#asked-3")
	b.typed("Where is it?")
	b.click(".main")
	b.shows("you: What is it about?: An order\n\nWhere is it?")
	b.until("one writes on", `!$('.card').getClientRects().length && root.activeElement === $('.field textarea')`)
	b.write("Hello?")
	b.shows("you: What is it about?: An order\n\nWhere is it?", "you: Hello?")
	testkit.Until(t, "the desk has the address", func() bool {
		a, err := d.Try(t.Context(), http.MethodGet, "/v1/conversations/"+d.conversation(b), nil)
		return err == nil && strings.Contains(string(a.Raw), "ann@nowhere.example")
	})
	again := v.open(d.URL + "/demo/")
	again.start()
	again.shows("you: What is it about?: An order\n\nWhere is it?", "you: Hello?")
	again.until("nobody is asked twice", `!$('.card').getClientRects().length`)
	b.clean()
}

// typed types into the focused field.
func (b *tab) typed(text string) {
	b.t.Helper()
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// What the page has told of the visitor is not asked; when it has told all, nothing is.
func TestTheFormAsksOnlyWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.sets(map[string]any{"pre_chat_form": map[string]any{"fields": []map[string]any{{"name": "name", "required": true}, {"name": "email"}}}})
	b := newVisitor(t).open(d.URL + "/demo/")
	b.click(".launcher")
	const labels = `$$('.card label').filter((x) => x.getClientRects().length).map((x) => x.textContent).join('|')`
	b.until("both are asked", labels+` === 'Your name|Email address (optional)|Your message'`)
	eval[bool](b, `window.tidemark('identify', { name: 'Ann' }), true`)
	b.until("one is asked", labels+` === 'Email address (optional)|Your message'`)
	eval[bool](b, `window.tidemark('identify', { email: 'ann@example.com' }), true`)
	b.until("nothing is asked", labels+` === '' && $('.send').getClientRects().length`)
	b.clean()
}

package widget_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// kept reads up to where the browser has kept that the visitor has looked.
var kept = strings.NewReplacer("get('session')", "get('seen')", "result?.token", "result").Replace(session)

// seenOf is how far the visitor has looked, of each conversation, and forgetful puts back what it was.
var (
	seenOf    = "JSON.stringify(" + strings.NewReplacer("get('session')", "get('seenOf')", "result?.token", "result").Replace(session) + ")"
	forgetful = strings.NewReplacer("transaction('kept')", "transaction('kept', 'readwrite')", "get('session')", "put(%s, 'seenOf')",
		"get.result?.token ?? ''", "true").Replace(session)
)

// glance is what the desk knows of a tab's conversation: up to where the visitor has read, and the desk.
func (d *desk) glance(b *tab) (read, seen string) {
	d.t.Helper()
	a := d.With(eval[string](b, session)).OK(d.t, http.MethodGet, "/chat/v1/conversations", nil)
	return a.Str("items.0.read_up_to"), a.Str("items.0.seen_up_to")
}

// readTo waits until the desk knows that the visitor has read the newest message.
func (d *desk) readTo(b *tab) {
	d.t.Helper()
	testkit.Until(d.t, "the desk knows what the visitor has read", func() bool {
		a := d.With(eval[string](b, session)).OK(d.t, http.MethodGet, "/chat/v1/conversations", nil)
		read, _ := d.glance(b)
		return read != "" && read == a.Str("items.0.last_message.id") && a.Get("items.0.unread") == 0.0
	})
}

// The desk is told what the visitor has read, once they see it: not while the dialog is closed or the page is hidden.
func TestTheDeskKnowsWhatWasRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL+"/demo/", onNewPage(countPosts))
	b.start()
	b.write("one")
	b.shows("you: one")
	d.answer(b, "two")
	d.answer(b, "three")
	b.shows("you: one", "desk: two", "desk: three")
	d.readTo(b)
	b.click(".close")
	before, _ := d.glance(b)
	d.answer(b, "four")
	b.until("four is unread", `$('.badge').textContent === '1'`)
	seen, of := eval[string](b, kept), eval[string](b, seenOf)
	// The page is left while the mark still waits: the next page tells it.
	b.click(".launcher")
	b.until("four is seen, which the browser keeps", `$('.badge').hidden && (`+kept+`) !== `+quote(seen)+` && (`+seenOf+`) !== `+quote(of))
	eval[bool](b, fmt.Sprintf(forgetful, of)) // as if there had been no time for all of it
	b.leave()
	again := v.open(d.URL+"/demo/", onNewPage(countPosts))
	d.readTo(again)
	again.until("the page is at rest", `$('.badge').hidden`)
	if after, _ := d.glance(again); after == before || posts(again, "/chat/v1/read") > 1 {
		t.Errorf("it read up to %s, then to %s, told %d times", before, after, posts(again, "/chat/v1/read"))
	}
	again.leave()
	last := v.open(d.URL+"/demo/", onNewPage(countPosts), onNewPage(`(() => {
	  const real = window.setTimeout;
	  window.setTimeout = (f, ms) => real(f, ms === 800 ? 0 : ms); // marks go at once, each by itself
	})()`))
	last.start()
	last.shows("you: one", "desk: two", "desk: three", "desk: four")
	last.until("it is connected", `$('.state').textContent === 'We are here'`)
	d.answer(last, "five")
	last.shows("you: one", "desk: two", "desk: three", "desk: four", "desk: five")
	d.readTo(last)
	if n := posts(last, "/chat/v1/read"); n != 1 {
		t.Errorf("the desk was told %d times of one message", n)
	}
	const hide = `(Object.defineProperty(document, 'hidden', { value: %t, configurable: true }), document.dispatchEvent(new Event('visibilitychange')), true)`
	eval[bool](last, fmt.Sprintf(hide, true))
	d.answer(last, "six")
	last.shows("you: one", "desk: two", "desk: three", "desk: four", "desk: five", "desk: six")
	d.agentTypes(last) // which goes there and back, as a mark would
	if n := posts(last, "/chat/v1/read"); n != 1 {
		t.Error("what came to a page that nobody sees was read")
	}
	eval[bool](last, fmt.Sprintf(hide, false))
	d.readTo(last)
}

// Behind the last of their messages that somebody at the desk has read, the visitor sees that; a reload does not forget it.
func TestTheVisitorSeesWhatTheDeskHasRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	heard := d.hears("conversation.message_received")
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.write("two")
	b.shows("you: one", "you: two")
	const read = `JSON.stringify($$('li.you').filter((x) => x.querySelector('.meta').textContent.includes('Read')).map((x) => x.querySelector('.bubble').textContent))`
	b.until("nothing is read yet", read+` === '[]'`)
	testkit.Until(t, "the desk has heard both", func() bool { return len(heard()) == 2 })
	for i, want := range []string{`["one"]`, `["two"]`} {
		id := testkit.Answer{Raw: []byte(heard()[i])}.Str("data.message_id")
		d.OK(t, http.MethodPut, "/v1/conversations/"+d.conversation(b)+"/read", map[string]any{"message_id": id})
		b.until(want+" is read", read+` === '`+want+`'`)
	}
	b.shot("read")
	b.do(chromedp.Reload())
	b.start()
	b.until("it still says so", read+` === '["two"]'`)
	b.write("three")
	b.shows("you: one", "you: two", "you: three")
	b.until("the new one is not read", read+` === '["two"]'`)
	b.clean()
}

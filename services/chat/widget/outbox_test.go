package widget_test

import (
	"net/http"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// inLog is what the desk has of a tab's conversation, as any client of the visitor's would read it.
func (d *desk) inLog(b *tab) []string {
	d.t.Helper()
	a := d.With(eval[string](b, session)).OK(d.t, http.MethodGet, "/chat/v1/messages", nil)
	items, _ := a.Get("items").([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		m, _ := item.(map[string]any)
		from, _ := m["from"].(string)
		text, _ := m["text"].(string)
		out = append(out, from+": "+text)
	}
	return out
}

// The server is killed in the middle of a conversation. What is written meanwhile waits, and is there once, in order,
// when it is back; the answer then comes without a reload.
func TestWhatIsWrittenWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	d.Kill()
	b.write("two")
	b.write("three")
	b.waits("two", "three")
	b.until("it says so", `$('.notice').textContent.includes('cannot be reached')`)
	b.shot("away")
	d.start(d.Data)
	b.shows("you: one", "you: two", "you: three")
	b.until("it is well again", `$('.notice').hidden && $('.state').textContent === 'We are here'`)
	d.answer(b, "We were away, and have all of it.")
	b.shows("you: one", "you: two", "you: three", "desk: We were away, and have all of it.")
	if got := quote(d.inLog(b)); got != `["you: one","you: two","you: three","agent: We were away, and have all of it."]` {
		t.Error(got)
	}
}

// A page is reloaded, and then its process crashes, while messages wait. They are still there, and are sent once.
func TestAFullOutboxOutlivesThePage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	b.network(false)
	b.write("two")
	b.write("three")
	b.waits("two", "three")
	b.until("it says so", `$('.notice').textContent.includes('You are offline')`)
	b.shot("offline")
	d.Kill()
	b.network(true)
	b.crash()
	d.start(d.Data)
	again := v.open(d.URL + "/demo/")
	again.start()
	again.shows("you: one", "you: two", "you: three")
	if got := quote(d.inLog(again)); got != `["you: one","you: two","you: three"]` {
		t.Error(got)
	}
}

// The answer to a message is lost on its way, so it is sent again. It is there once.
func TestALostAnswerDoublesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	// The page's own fetch throws what the server answered to the first two tries away.
	b.until("the page is there", `$('.launcher')`)
	eval[bool](b, `(() => {
	  const real = window.fetch; let lost = 0;
	  window.fetch = async (url, options) => {
	    const r = await real(url, options);
	    if (options?.method === 'POST' && String(url).endsWith('/messages') && lost++ < 2) throw new TypeError('lost');
	    return r;
	  };
	  return true;
	})()`)
	b.start()
	b.write("one")
	b.write("two")
	b.shows("you: one", "you: two")
	if got := quote(d.inLog(b)); got != `["you: one","you: two"]` {
		t.Error(got)
	}
}

// Two tabs of one visitor show one conversation over one stream. When the tab that holds the stream goes, the other takes
// over, with what waits.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	first := v.open(d.URL + "/demo/")
	first.start()
	first.write("from the first")
	first.shows("you: from the first")
	second := v.open(d.URL + "/demo/")
	second.start()
	second.shows("you: from the first")
	second.write("from the second")
	first.shows("you: from the first", "you: from the second")
	second.shows("you: from the first", "you: from the second")
	const streams = `performance.getEntriesByType('resource').filter((x) => x.name.endsWith('/stream')).length`
	if n := eval[int](second, streams); n != 0 {
		t.Errorf("the second tab opened %d streams of its own", n)
	}
	d.answer(first, "To both.")
	second.shows("you: from the first", "you: from the second", "desk: To both.")
	d.Kill()
	second.write("while all is away")
	first.waits("while all is away")
	second.waits("while all is away")
	first.leave()
	d.start(d.Data)
	second.shows("you: from the first", "you: from the second", "desk: To both.", "you: while all is away")
	if got := quote(d.inLog(second)); got != `["you: from the first","you: from the second","agent: To both.","you: while all is away"]` {
		t.Error(got)
	}
}

// A browser that has no database keeps the outbox in memory and says so; nothing else is different.
func TestWithoutADatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", onNewPage(`Object.defineProperty(window, 'indexedDB', { value: { open() { throw new Error('no'); } } })`))
	b.start()
	b.until("it says so", `$('.notice').textContent.includes('keeps nothing')`)
	b.write("one")
	b.shows("you: one")
	d.Kill()
	b.write("two")
	b.waits("two")
	d.start(d.Data)
	b.shows("you: one", "you: two")
}

// A visitor who comes back sees how much they have not read, and no more once they have looked.
func TestUnread(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	b.click(".close")
	d.answer(b, "two")
	d.answer(b, "three")
	b.until("two are unread", `$('.badge').textContent === '2' && !$('.badge').hidden && $('.launcher').getAttribute('aria-label') === 'Open chat, 2 unread'`)
	b.shot("unread")
	again := v.open(d.URL + "/demo/")
	again.until("two are unread in another tab", `$('.badge').textContent === '2'`)
	again.start()
	again.shows("you: one", "desk: two", "desk: three")
	again.click(".close")
	for _, each := range []*tab{b, again} {
		each.until("none is unread", `$('.badge').hidden`)
	}
}

// What the server refuses for good is shown as not sent, and does not stop what comes behind it.
func TestARefusedMessage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.write("a control character: \u0085")
	b.write("two")
	b.until("one is not sent, the other is", `$$('li.failed').length === 1 && $$('li.you').length === 2 && !$('li.waiting')`)
	b.shot("failed")
	if got := quote(d.inLog(b)); got != `["you: two"]` {
		t.Error(got)
	}
	b.click("li.failed button:last-child")
	b.shows("you: two")
}

// Whoever shuts down leaves nothing behind.
func TestShutdownForgets(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	other := v.open(d.URL + "/demo/")
	other.start()
	other.shows("you: one")
	token := eval[string](b, session)
	eval[bool](b, `window.tidemark('shutdown'), true`)
	for _, each := range []*tab{b, other} {
		each.until("it is gone from the page", `!document.getElementById('tidemark-widget')`)
	}
	testkit.Until(t, "the session is gone", func() bool { return eval[string](b, session) == "" })
	testkit.Until(t, "the session is none at the desk either", func() bool {
		a, err := d.With(token).Do(t.Context(), http.MethodGet, "/chat/v1/messages", nil)
		return err == nil && a.Status == http.StatusUnauthorized
	})
	again := v.open(d.URL + "/demo/")
	again.start()
	again.until("nothing is there", bubbles+`.length === 0 && $('.state').textContent === 'We are here'`)
}

package widget_test

import "testing"

// A visitor sees all their conversations, opens one that is over to read it, and begins another beside those that are there.
func TestConversations(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.until("there is nothing to list", `!$('[aria-label=Conversations]').getClientRects().length`)
	b.write("one")
	b.shows("you: one")
	d.answer(b, "About one.")
	b.shows("you: one", "desk: About one.")
	d.status(b, "closed")
	b.click("header [aria-label=Conversations]")
	b.until("the first is there", `$$('.list li').length === 1 && $('.list .gist').textContent === 'About one.' && $('.list .soft').textContent.endsWith('Ended') && root.activeElement === $('.list button')`)
	b.click(".list .main")
	b.until("it is another", `!$$('li.you').length && root.activeElement === $('.field textarea')`)
	b.write("two")
	b.shows("you: two")
	b.write("three")
	b.shows("you: two", "you: three")
	d.answer(b, "About two.")
	b.shows("you: two", "you: three", "desk: About two.")
	b.click("header [aria-label=Conversations]")
	b.until("both are there", `$$('.list .gist').map((x) => x.textContent).join('|') === 'About two.|About one.'`)
	b.accessible("list")
	b.shot("list")
	eval[bool](b, `window.tidemark('set', { language: 'he', theme: { mode: 'dark' } }), true`)
	b.accessible("list-hebrew-dark")
	b.shot("list-hebrew-dark")
	b.click(".list li:last-child button")
	b.shows("you: one", "desk: About one.")
	b.clean()
}

// A conversation that is begun while the server is away begins once, with all that was written to it, when it is back.
func TestAConversationBegunWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	b.click("header [aria-label=Conversations]")
	b.until("the first is there", `$$('.list li').length === 1`)
	d.Kill()
	b.until("it says so, and moves nothing any more", `!$('.notice').hidden`)
	b.click(".list .main")
	b.until("it is another", `!$$('li.you').length && root.activeElement === $('.field textarea')`)
	b.write("two")
	b.write("three")
	b.waits("two", "three")
	d.start(d.Data)
	b.shows("you: two", "you: three")
	if got := quote(d.inLog(b)); got != `["you: two","you: three"]` {
		t.Error(got)
	}
}

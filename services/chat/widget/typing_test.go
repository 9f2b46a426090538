package widget_test

import (
	"bufio"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// hears collects what agents are told in their stream under a name, from now until the test ends.
func (d *desk) hears(name string) func() []string {
	d.t.Helper()
	response, err := d.Open(d.t.Context(), http.MethodGet, "/v1/stream", nil)
	if err != nil || response.StatusCode != http.StatusOK {
		d.t.Fatalf("%v %v", response, err)
	}
	var mu sync.Mutex
	var all []string
	done := make(chan struct{})
	d.t.Cleanup(func() { _ = response.Body.Close(); <-done })
	go func() {
		defer close(done)
		is := ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if value, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				is = value
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && is == name {
				mu.Lock()
				all = append(all, data)
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// agentTypes says that an agent is typing to the visitor of a tab, until the visitor sees it.
func (d *desk) agentTypes(b *tab) {
	d.t.Helper()
	id := d.conversation(b)
	testkit.Until(d.t, "the agent is seen typing", func() bool {
		d.OK(d.t, http.MethodPost, "/v1/conversations/"+id+"/typing", nil)
		return eval[bool](b, `!$('.typing').hidden`)
	})
}

// posts are how often a tab has sent something to a path.
func posts(b *tab, path string) int {
	b.t.Helper()
	return eval[int](b, `(window.posts ?? []).filter((x) => x === '`+path+`').length`)
}

// countPosts makes posts count.
const countPosts = `(() => {
  const real = window.fetch;
  window.posts = [];
  window.fetch = (url, options) => { if (options?.method === 'POST') window.posts.push(new URL(url).pathname); return real(url, options); };
})()`

// The desk sees the visitor typing: while the text grows, and not for each key.
func TestTheDeskSeesTheVisitorTyping(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	heard := d.hears("typing")
	b := newVisitor(t).open(d.URL+"/demo/", onNewPage(countPosts), onNewPage(`window.clock = 1e6; performance.now = () => window.clock`))
	b.start()
	b.write("Nobody could see it before the first message")
	b.shows("you: Nobody could see it before the first message")
	b.until("it is connected", `$('.state').textContent === 'We are here'`)
	sends := func(n int, why string) {
		t.Helper()
		b.until(why, `window.posts.filter((x) => x === '/chat/v1/typing').length >= `+strconv.Itoa(n))
		if got := posts(b, "/chat/v1/typing"); got != n {
			t.Errorf("%s: %d signals, not %d", why, got, n)
		}
	}
	sends(0, "before there is a conversation")
	for range 20 {
		b.types("word ")
	}
	sends(1, "twenty words at once")
	testkit.Until(t, "the desk has heard it", func() bool {
		all := heard()
		return len(all) > 0 && strings.Contains(all[0], d.conversation(b))
	})
	eval[bool](b, `(window.clock += 5000, true)`)
	b.press("Backspace", 8, none)
	sends(1, "a text that shrinks, five seconds later")
	b.types("more words")
	sends(2, "a text that grows")
	b.press("Enter", 13, none)
	b.until("it is sent", `$$('li.you').length === 2 && !$('li.waiting')`)
	b.types("The next")
	sends(3, "the next message")
	b.clean()
}

// The visitor sees an agent typing, in all tabs, until its time is over, until the message comes, or until the server goes.
func TestTheVisitorSeesAnAgentTyping(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	eval[bool](b, `(() => {
	  window.announced = [];
	  new MutationObserver(() => window.announced.push($('[aria-live]').textContent)).observe($('[aria-live]'), { childList: true, characterData: true, subtree: true });
	  return true;
	})()`)
	d.agentTypes(b)
	b.until("it says who", `$('.typing').textContent === 'Support is typing…' && $('.typing').getClientRects().length`)
	b.until("nothing moves for who wants that", `$$('.typing i').every((x) => getComputedStyle(x).animationName === 'none')`)
	b.shot("typing")
	b.until("it ends by itself", `$('.typing').hidden`)
	d.agentTypes(b)
	d.answer(b, "two")
	b.shows("you: one", "desk: two")
	b.until("the message ends it", `$('.typing').hidden`)
	second := v.open(d.URL + "/demo/")
	second.start()
	d.agentTypes(b)
	second.until("it is seen in another tab", `!$('.typing').hidden`)
	d.Kill()
	for _, each := range []*tab{b, second} {
		each.until("it ends with the connection", `$('.typing').hidden && $('.notice').textContent.includes('cannot be reached')`)
	}
	if said := quote(eval[[]string](b, `window.announced.filter((x, i, all) => x !== all[i - 1])`)); said != `["Support is typing…","Support: two"]` {
		t.Errorf("read out was %s", said)
	}
}

package widget_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// observe notes tasks that hold up a page for more than 50 ms, from its beginning.
const observe = `(() => {
  window.tasks = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((x) => x.duration))).observe({ type: 'longtask', buffered: true });
})()`

// A page that a visitor sees for the first time asks the desk for the script and for nothing else before the chat can be opened.
// What it costs the page is printed: go test ./services/chat/widget -run TestColdPage -v.
func TestColdPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	head := widget.Tag(d.URL, "demo-site", true) + `<script>
	  window.tidemark = window.tidemark || function () { (tidemark.q = tidemark.q || []).push(arguments); };
	  tidemark('on', 'ready', () => { window.ready = performance.now(); });
	</script>`
	b := newVisitor(t).open(site(t, "", head, "<h1>Cold</h1>"), onNewPage(observe))
	b.until("it can be opened", `window.ready && $('.launcher').getClientRects().length`)
	requests := eval[[]string](b, `performance.getEntriesByType('resource').map((x) => x.name).filter((x) => x.startsWith('`+d.URL+`'))`)
	if len(requests) != 1 || requests[0] != d.URL+widget.VersionedPath() {
		t.Errorf("before it can be opened the page has asked for %v", requests)
	}
	t.Logf("ready after %.0f ms, %d request, %d bytes, %s", eval[float64](b, `window.ready`), len(requests),
		eval[int](b, `performance.getEntriesByType('resource').find((x) => x.name.endsWith('`+widget.VersionedPath()+`')).encodedBodySize`), tasks(b))
	b.start()
	b.write("one")
	b.shows("you: one")
	t.Logf("opened, and a message sent: %s", tasks(b))
	b.clean()
}

// tasks tells of the long tasks until now.
func tasks(b *tab) string {
	b.t.Helper()
	all := eval[[]float64](b, `await new Promise((r) => requestIdleCallback(() => r(window.tasks)))`)
	return fmt.Sprintf("%d long tasks, the longest %.0f ms", len(all), slices.Max(append(all, 0)))
}

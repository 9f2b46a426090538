package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// person is somebody with a browser.
type person struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps its browser there
}

func newPerson(t *testing.T) *person {
	t.Helper()
	var browser string
	for _, name := range []string{os.Getenv("TIDEMARK_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); browser == "" && name != "" && err == nil {
			browser = path
		}
	}
	if browser == "" {
		t.Fatal("the tour needs Chromium: apt-get install chromium, or name one in TIDEMARK_CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1200, 800))
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser to end
		cancel()
		stop()
	})
	return &person{t: t, ctx: ctx}
}

// opens opens a page, and the chat on it.
func (p *person) opens(url string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Navigate(url)); err != nil {
		p.t.Fatal(err)
	}
	p.until("there is a button in the corner", `$('.launcher')?.getClientRects().length`)
	p.until("the button opens the chat", `($('.panel').hidden && $('.launcher').click(), !$('.panel').hidden && root.activeElement === $('textarea'))`)
}

// writes types a message and sends it.
func (p *person) writes(text string) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		p.t.Fatal(err)
	}
	enter := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13}
	if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, enter); err != nil {
		p.t.Fatal(err)
	}
}

// waitsFor expects that the page shows a message as one that waits to be sent.
func (p *person) waitsFor(text string) {
	p.t.Helper()
	p.until("this waits: "+text, `JSON.stringify($$('li.waiting .bubble').map((x) => x.textContent)) === `+quoted(p.t, text))
}

// sees expects that exactly these messages stand in the chat in the end, and that none of them waits.
func (p *person) sees(want ...string) {
	p.t.Helper()
	const there = `$$('li').filter((x) => x.querySelector('time')).map((x) => (x.classList.contains('you') ? 'you: ' : 'desk: ') + x.querySelector('.bubble')?.textContent)`
	p.until(fmt.Sprintf("there stands %q", want), `JSON.stringify(`+there+`) === `+quoted(p.t, want...)+` && !$('li.waiting')`)
}

// quoted is JavaScript for the JSON of a list.
func quoted(t *testing.T, list ...string) string {
	t.Helper()
	raw, err := json.Marshal(list)
	if err == nil {
		raw, err = json.Marshal(string(raw))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// until waits until an expression is true; $ and $$ look into the widget.
func (p *person) until(what, expression string) {
	p.t.Helper()
	const widget = `const root = document.getElementById('tidemark-widget')?.shadowRoot; const $ = (s) => root?.querySelector(s); const $$ = (s) => [...(root?.querySelectorAll(s) ?? [])];`
	err := testkit.Eventually(p.ctx, what, func() error {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("(() => {"+widget+" return !!("+expression+"); })()"))
		if err == nil && !ok {
			said, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("(() => {"+widget+" return $('.panel')?.innerText ?? 'no widget'; })()"))
			err = fmt.Errorf("the page says %q", said)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

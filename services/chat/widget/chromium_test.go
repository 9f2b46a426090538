package widget_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// chromium finds the browser. Without one the widget is not tested, and that is a failure.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("TIDEMARK_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Fatal("the widget's tests need Chromium: apt-get install chromium, or name one in TIDEMARK_CHROMIUM")
	return ""
}

// visitor is a person with a browser of their own.
type visitor struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps its browser there
}

// tab is one page that the visitor has open.
type tab struct {
	*visitor
	mu     sync.Mutex
	faults []string // what the browser complained of: broken scripts, what the policy forbade
}

// newVisitor starts a browser.
func newVisitor(t *testing.T) *visitor {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "en-GB"), chromedp.WindowSize(1200, 800))
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, cancel := chromedp.NewContext(ctx)
	v := &visitor{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser to end
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	return v
}

// open opens a page in a new tab.
func (v *visitor) open(url string, before ...chromedp.Action[chromedp.Void]) *tab {
	v.t.Helper()
	ctx, cancel := chromedp.NewContext(v.ctx)
	b := &tab{visitor: &visitor{t: v.t, ctx: ctx}}
	v.t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(e any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			b.faults = append(b.faults, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceViolation {
				b.faults = append(b.faults, e.Entry.Text)
			}
		}
	})
	if err != nil {
		v.t.Fatal(err)
	}
	// Pictures and clicks are of things that stand still.
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	b.do(before...)
	b.do(chromedp.Navigate(url))
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// clean tells whether the browser had anything to complain of.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Error("the browser complains: " + f)
	}
}

// shadow is where the widget's elements are.
const shadow = `const root = document.getElementById('tidemark-widget')?.shadowRoot; const $ = (s) => root?.querySelector(s); const $$ = (s) => [...(root?.querySelectorAll(s) ?? [])];`

// eval gives the value of an expression over $ and $$, which look into the widget.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, look[T](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func look[T any](expression string) chromedp.Action[T] {
	return chromedp.Evaluate[T]("(async () => {"+shadow+" return ("+expression+"); })()", chromedp.EvalAwaitPromise)
}

// until waits until an expression is true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	err := testkit.Eventually(b.ctx, what, func() error {
		ok, err := chromedp.Run(b.ctx, look[bool]("!!("+expression+")"))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("not so: %s", expression)
		}
		return nil
	})
	if err != nil {
		b.shot("failed")
		b.t.Fatalf("%v\n%s", err, b.said())
	}
}

// said is what stands in the widget.
func (b *tab) said() string {
	b.t.Helper()
	return eval[string](b, `root?.querySelector('.panel').innerText ?? 'no widget'`)
}

// click clicks where an element is, as a hand does.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until(selector+" can be clicked", `$('`+selector+`')?.getClientRects().length && !$('`+selector+`').disabled`)
	at := eval[[]float64](b, `(() => { const r = $('`+selector+`').getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// start opens the chat.
func (b *tab) start() {
	b.t.Helper()
	b.click(".launcher")
	b.until("the chat is open", `!$('.panel').hidden && root.activeElement === $('textarea')`)
}

// types types into the focused field.
func (b *tab) types(text string) {
	b.t.Helper()
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// write types into the focused field and presses Enter.
func (b *tab) write(text string) {
	b.t.Helper()
	b.types(text)
	b.press("Enter", 13, none)
}

// The keys that are held while another is pressed.
const (
	none  = 0
	shift = 8
)

// press presses a key as a keyboard does: what the page prevents does not happen.
func (b *tab) press(key string, code int64, held int64) {
	b.t.Helper()
	text := ""
	if key == "Enter" {
		text = "\r"
	}
	down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Code: key, Text: text, WindowsVirtualKeyCode: code, Modifiers: held}
	up := down
	up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(b, input.DispatchKeyEvent, down)
	call(b, input.DispatchKeyEvent, up)
}

// bubbles are the texts of the messages, from whom: "you: …".
const bubbles = `$$('li').filter((x) => x.querySelector('time')).map((x) => (x.classList.contains('you') ? 'you: ' : 'desk: ') + (x.querySelector('.bubble')?.textContent ?? ''))`

// shows waits until exactly these messages stand there, and none of them waits.
func (b *tab) shows(want ...string) {
	b.t.Helper()
	b.until("there stand "+strings.Join(want, " | "), `JSON.stringify(`+bubbles+`) === `+quote(quote(want))+` && !$('li.waiting')`)
}

// waits waits until these messages wait to be sent.
func (b *tab) waits(want ...string) {
	b.t.Helper()
	b.until("these wait: "+strings.Join(want, " | "), `JSON.stringify($$('li.waiting .bubble').map((x) => x.textContent)) === `+quote(quote(want)))
}

// phone makes the window a phone's.
func phone(width int64) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(width, 2*width, chromedp.EmulateMobile, chromedp.EmulateTouch)
}

// network takes the tab's network away, or gives it back.
func (b *tab) network(there bool) {
	b.t.Helper()
	call(b, network.Enable, network.EnableParams{})
	// The command that all versions of Chromium know; the library has only its successor.
	offline := cdp.Command[network.Conditions, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
	call(b, offline, network.Conditions{Offline: !there, DownloadThroughput: -1, UploadThroughput: -1})
}

// throttle lets no more than so many bytes a second leave the tab; -1: as many as there are.
func (b *tab) throttle(bytes float64) {
	b.t.Helper()
	call(b, network.Enable, network.EnableParams{})
	slow := cdp.Command[network.Conditions, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
	call(b, slow, network.Conditions{DownloadThroughput: -1, UploadThroughput: bytes})
}

// leave closes the tab, without a word to the page.
func (b *tab) leave() {
	b.t.Helper()
	if err := chromedp.Cancel(b.ctx); err != nil {
		b.t.Fatal(err)
	}
}

// call sends a command of the protocol to the tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	out, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// shot keeps a picture for whoever wants to look: go test -artifacts.
func (b *tab) shot(name string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Error(err)
		return
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// crash ends the tab's process, as a browser does that runs out of memory.
func (b *tab) crash() {
	b.t.Helper()
	go func() { _, _ = chromedp.Call(b.ctx, page.Crash, cdp.Empty{}) }() // whoever could answer is gone
}

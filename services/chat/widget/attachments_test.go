package widget_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// file writes a file of the visitor's to disk, and gives its path.
func file(t *testing.T, name string, body []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// photo is an image with something to see.
func photo(t *testing.T, width, height int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			m.Set(x, y, color.RGBA{uint8(200 * x / width), uint8(220 * y / height), 140, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chooses presses the button and chooses files, as in the browser's own dialog.
func (b *tab) chooses(paths ...string) {
	b.t.Helper()
	opened := make(chan *page.EventFileChooserOpened, 1)
	err := chromedp.Listen(b.ctx, func(e any) {
		if e, ok := e.(*page.EventFileChooserOpened); ok {
			select {
			case opened <- e:
			default:
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	call(b, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true})
	b.click(".attach")
	testkit.Until(b.t, "the browser asks for files", func() bool { return len(opened) > 0 })
	call(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: paths, BackendNodeID: (<-opened).BackendNodeID})
}

// drops drags files over the dialog and lets go of them.
func (b *tab) drops(paths ...string) {
	b.t.Helper()
	at := eval[[]float64](b, `(() => { const r = $('.scroll').getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	data := &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1}
	for _, step := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		if step == input.DispatchDragEventTypeDrop {
			b.until("it says where to", `!$('.drop').hidden`)
			b.shot("drop")
		}
		call(b, input.DispatchDragEvent, input.DispatchDragEventParams{Type: step, X: at[0], Y: at[1], Data: data})
	}
	b.until("nothing hangs over the messages", `$('.drop').hidden`)
}

// pastes pastes a file, which has a name and a text as its content, and maybe a text beside it.
func (b *tab) pastes(name, content, text string) {
	b.t.Helper()
	eval[bool](b, `(() => {
	  const data = new DataTransfer();
	  data.items.add(new File([`+quote(content)+`], `+quote(name)+`));
	  if (`+quote(text)+`) data.setData('text/plain', `+quote(text)+`);
	  return $('textarea').dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, composed: true, cancelable: true })), true;
	})()`)
}

// holds waits until these files are to go with the next message.
func (b *tab) holds(names ...string) {
	b.t.Helper()
	b.until("these are chosen: "+strings.Join(names, ", "), `JSON.stringify($$('.chosen .name').map((x) => x.textContent)) === `+quote(quote(append([]string{}, names...))))
}

// carry waits until exactly these files are seen, all of them at the desk.
func (b *tab) carry(names ...string) {
	b.t.Helper()
	b.until("these can be opened: "+strings.Join(names, ", "), `JSON.stringify($$('li a.file .name').map((x) => x.textContent)) === `+quote(quote(names))+` && !$('li.waiting')`)
}

// files are the names of all files in the log of a tab's conversation, by message.
func (d *desk) files(b *tab) []string {
	d.t.Helper()
	items, _ := d.With(eval[string](b, session)).OK(d.t, http.MethodGet, "/chat/v1/messages", nil).Get("items").([]any)
	var out []string
	for _, item := range items {
		m, _ := item.(map[string]any)
		list, _ := m["attachments"].([]any)
		said := []string{fmt.Sprint(m["text"])}
		for _, each := range list {
			a, _ := each.(map[string]any)
			said = append(said, fmt.Sprintf("[%v]", a["name"]))
		}
		out = append(out, strings.Join(said, " "))
	}
	return out
}

// brings writes to the conversation of a tab as an agent does, with a file.
func (d *desk) brings(b *tab, text, name string, body []byte) {
	d.t.Helper()
	id := d.conversation(b)
	at := d.URL + "/v1/attachments?conversation=" + id + "&name=" + url.QueryEscape(name)
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.Key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		d.t.Fatalf("%d %s %v", response.StatusCode, raw, err)
	}
	_ = response.Body.Close()
	upload := testkit.Answer{Raw: raw}.Str("id")
	d.OK(d.t, http.MethodPost, "/v1/conversations/"+id+"/messages", map[string]any{"text": text, "attachments": []string{upload}})
}

// Files go with a message, by button, paste and drop; what comes of them is a link with name and size, and of an image a
// picture, also where the page's policy allows no images.
func TestAttachments(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	policy := fmt.Sprintf("default-src 'none'; script-src %[1]s; connect-src %[1]s; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'", d.URL)
	b := newVisitor(t).open(site(t, policy, widget.Tag(d.URL, "demo-site", true), "<main><h1>Strict</h1></main>"))
	b.start()
	b.chooses(file(t, "broken cup.png", photo(t, 900, 600)), file(t, "invoice.txt", []byte("one cup")))
	b.holds("broken cup.png", "invoice.txt")
	b.until("one can go on writing", `root.activeElement === $('textarea') && !$('.send').disabled`)
	b.until("it is read out", `$('[aria-live]').textContent === 'Attachments: broken cup.png, invoice.txt'`)
	b.types("It came like this.")
	b.shot("tray")
	b.press("Enter", 13, none)
	b.holds()
	b.carry("broken cup.png", "invoice.txt")
	b.until("the picture is painted, not too large", `(() => { const c = $('a.file canvas'); return c && c.width > 0 && c.getBoundingClientRect().height <= 170 && c.getContext('2d').getImageData(c.width >> 1, c.height >> 1, 1, 1).data[2] > 100; })()`)
	d.brings(b, "", "label.png", photo(t, 60, 40))
	b.carry("broken cup.png", "invoice.txt", "label.png")
	b.until("the desk's picture is painted", `$('li.agent a.file canvas')`)
	b.shot("attachments")
	b.pastes("copied.png", "no picture", "some text")
	b.pastes("screenshot.txt", "pasted", "")
	b.holds("screenshot.txt")
	b.click(".send")
	b.carry("broken cup.png", "invoice.txt", "label.png", "screenshot.txt")
	b.drops(file(t, "dropped.txt", []byte("dropped")), file(t, "too many.txt", []byte("too many")))
	b.holds("dropped.txt", "too many.txt")
	b.click(".chosen li:last-child button")
	b.holds("dropped.txt")
	b.click(".send")
	b.carry("broken cup.png", "invoice.txt", "label.png", "screenshot.txt", "dropped.txt")
	b.until("each has a name and a size", `$$('a.file').every((x) => /^.+\.(png|txt) [\d,.]+ (bytes|kB)$/.test(x.textContent) && x.target === '_blank' && x.rel === 'noopener noreferrer')`)
	if got := quote(d.files(b)); got != `["It came like this. [broken cup.png] [invoice.txt]"," [label.png]"," [screenshot.txt]"," [dropped.txt]"]` {
		t.Error(got)
	}
	if got := eval[string](b, `await (await fetch($$('a.file')[1].href)).text()`); got != "one cup" {
		t.Errorf("behind the link is %q", got)
	}
	for _, mode := range []string{"light", "dark"} {
		eval[bool](b, `window.tidemark('set', { theme: { mode: '`+mode+`' } }), true`)
		b.chooses(file(t, mode+".txt", []byte(mode)))
		b.until("it is chosen", `$$('.chosen li').length`)
		b.accessible("attachments, " + mode)
	}
	b.shot("attachments-dark")
	b.clean()
}

// What cannot be sent is refused before it is, and it is said why; what can be sent is kept.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.chooses(file(t, "film.mov", make([]byte, 10<<20+1)), file(t, "nothing.txt", nil), file(t, "good.txt", []byte("good")))
	b.holds("good.txt")
	b.until("it says why", `$('.problem').textContent === 'film.mov: A file has at most 10 MB.\nnothing.txt: It is empty or cannot be read.' && $('.problem').getAttribute('role') === 'alert'`)
	b.shot("refused")
	b.accessible("refused files")
	b.drops(t.TempDir())
	b.until("a folder is none", `/It is empty or cannot be read\.$/.test($('.problem').textContent)`)
	b.holds("good.txt")
	var many []string
	for i := range 12 {
		many = append(many, file(t, fmt.Sprintf("%d.txt", i), []byte("x")))
	}
	b.chooses(many...)
	b.until("ten are as many as can be", `$$('.chosen li').length === 10 && $('.problem').textContent === 'A message has at most 10 files.'`)
	b.write("ten")
	b.until("they are sent", `$$('li a.file').length === 10 && !$('li.waiting') && $('.tray').hidden`)
	b.chooses(file(t, "as large as can be.bin", bytes.Repeat([]byte("tide"), 10<<20/4)))
	b.holds("as large as can be.bin")
	b.click(".send")
	b.until("it is sent", `$$('li a.file').length === 11 && !$('li.waiting')`)
}

// The server is killed, files are written meanwhile, the page is reloaded and then crashes. They are sent with their messages,
// once, in order.
func TestFilesOutliveServerAndPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	b.network(false) // so that the page can be left while the server that has it is away
	d.Kill()
	path := file(t, "cup.png", photo(t, 300, 200))
	b.chooses(path, file(t, "note.txt", []byte("note")))
	b.holds("cup.png", "note.txt")
	b.write("two")
	b.write("three")
	b.pastes("four.txt", "four", "")
	b.holds("four.txt")
	b.click(".send")
	b.until("they wait, with what is in them", `$$('li.waiting').length === 3 && $$('li.waiting .file').length === 3 && $('li.waiting canvas')`)
	b.shot("waiting")
	if err := os.Remove(path); err != nil { // the browser has it by now
		t.Fatal(err)
	}
	b.network(true)
	b.crash()
	d.start(d.Data)
	again := v.open(d.URL+"/demo/", onNewPage(holdUploads))
	again.start()
	again.until("they still wait", `$$('li.waiting .file').length === 3`)
	again.do(chromedp.Reload())
	again.start()
	again.until("they still wait", `$$('li.waiting .file').length === 3`)
	again.leave()
	last := v.open(d.URL + "/demo/")
	last.start()
	last.carry("cup.png", "note.txt", "four.txt")
	if got := quote(d.files(last)); got != `["one","two [cup.png] [note.txt]","three"," [four.txt]"]` {
		t.Error(got)
	}
}

// holdUploads keeps files from being sent, as a network does that is stuck.
const holdUploads = `XMLHttpRequest.prototype.send = () => undefined`

// The server is killed after it has taken a file and before it has the message. The file is there once.
func TestTheServerIsKilledBetweenFileAndMessage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", onNewPage(holdMessages))
	b.start()
	b.until("it is connected", `$('.state').textContent === 'We are here'`)
	b.pastes("a.txt", "a", "")
	b.holds("a.txt")
	b.write("one")
	b.until("the message is held back", `window.held > 0`)
	d.Kill()
	b.until("it waits", `$('.state').textContent !== 'We are here' && $('li.waiting .file')`)
	eval[bool](b, `(window.hold = false, true)`)
	d.start(d.Data)
	b.carry("a.txt")
	if got := quote(d.files(b)); got != `["one [a.txt]"]` {
		t.Error(got)
	}
}

// holdMessages loses messages on their way until hold is false.
const holdMessages = `(() => {
  const real = window.fetch;
  window.hold = true; window.held = 0;
  window.fetch = (url, options) => {
    if (window.hold && options?.method === 'POST' && String(url).endsWith('/messages')) { window.held++; return Promise.reject(new TypeError('lost')); }
    return real(url, options);
  };
})()`

// A file that is attached in one tab is sent by the one that leads, and seen in both.
func TestAFileInTheOtherTab(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	first := v.open(d.URL + "/demo/")
	first.start()
	first.write("one")
	first.shows("you: one")
	second := v.open(d.URL + "/demo/")
	second.start()
	second.shows("you: one")
	second.chooses(file(t, "cup.png", photo(t, 300, 200)))
	second.holds("cup.png")
	second.write("two")
	for _, each := range []*tab{first, second} {
		each.carry("cup.png")
	}
	if got := quote(d.files(first)); got != `["one","two [cup.png]"]` {
		t.Error(got)
	}
}

// A browser that keeps nothing has files in memory, and says so.
func TestFilesWithoutADatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", onNewPage(`Object.defineProperty(window, 'indexedDB', { value: { open() { throw new Error('no'); } } })`))
	b.start()
	b.until("it says so", `$('.notice').textContent.includes('keeps nothing')`)
	d.Kill()
	b.pastes("a.txt", "a", "")
	b.holds("a.txt")
	b.write("one")
	b.until("it waits", `$('li.waiting .file')`)
	d.start(d.Data)
	b.carry("a.txt")
}

// What a name of a file says stays text, whoever chose it.
func TestNamesOfFilesStayText(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	var want []string
	for i, name := range []string{`<img src=x onerror=window.hit=1>.txt`, `"><svg onload=window.hit=1>.txt`, `javascript:window.hit=1`, `$& {{window.hit=1}}.txt`} {
		b.pastes(name, "x", "")
		b.holds(name)
		b.until("the button to remove it names it", `$('.chosen button').getAttribute('aria-label') === `+quote("Remove "+name))
		b.click(".send")
		b.until("it is sent", fmt.Sprintf(`$$('li.you a.file').length === %d && !$('li.waiting')`, i+1))
		want = append(want, eval[string](b, `$$('li.you a.file .name').at(-1).textContent`))
		d.brings(b, "", name, []byte("x"))
		b.until("the desk's is there", fmt.Sprintf(`$$('li.agent a.file').length === %d`, i+1))
	}
	if names := strings.Join(want, "\n"); !strings.Contains(names, "img src=x onerror=window.hit=1") || !strings.Contains(names, "$& {{window.hit=1}}.txt") {
		t.Errorf("the names are %s", names)
	}
	b.until("there is nothing but text in links", `$$('.file').every((x) => x.tagName === 'A' && x.pathname.startsWith('/files/')) && $$('.file .name, .chosen .name').every((x) => x.childElementCount === 0)`)
	if eval[bool](b, `'hit' in window`) {
		t.Error("something ran")
	}
	b.clean()
}

// While a large file is sent one sees how far it is.
func TestProgress(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.until("it is connected", `$('.state').textContent === 'We are here'`)
	b.throttle(1 << 20)
	b.chooses(file(t, "film.mov", make([]byte, 4<<20)))
	b.holds("film.mov")
	b.click(".send")
	b.until("one sees how far it is", `!$('progress').hidden && $('progress').value > 0.1 && $('progress').value < 1 && $('progress').getAttribute('aria-label') === 'Sending…'`)
	b.shot("progress")
	b.accessible("sending a file")
	b.throttle(-1)
	b.carry("film.mov")
	b.until("the bar is gone", `$('progress').hidden`)
}

// What does not let a large body through does not hold up what is written behind it, and can be tried again.
func TestAFileThatNeverGetsThrough(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", onNewPage(`(() => {
	  const [send, timeout] = [XMLHttpRequest.prototype.send, window.setTimeout];
	  XMLHttpRequest.prototype.send = function (body) { if (window.through) send.call(this, body); else timeout(() => this.onerror()); };
	  window.setTimeout = (f, ms) => timeout(f, Number.isInteger(ms) ? ms : ms / 200); // pauses between tries are the ones that are random
	})()`))
	b.start()
	b.until("it is connected", `$('.state').textContent === 'We are here'`)
	b.pastes("a.txt", "a", "")
	b.holds("a.txt")
	b.write("one")
	b.write("two")
	b.until("one is not sent, the other is", `$$('li.failed .file').length === 1 && $$('li.you').length === 2 && !$('li.waiting')`)
	b.shot("failed-file")
	eval[bool](b, `(window.through = true)`)
	b.click("li.failed .meta button")
	b.carry("a.txt")
	if got := quote(d.files(b)); got != `["two","one [a.txt]"]` {
		t.Error(got)
	}
}

// A page that is open for long has links that work: they are read again before they end. Pictures stay.
func TestLinksAreReadAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", onNewPage(`(() => {
	  const [now, real] = [Date.now, window.fetch];
	  window.readAt = [];
	  Date.now = () => now() + (window.later ?? 0);
	  window.fetch = async (url, options) => {
	    const response = await real(url, options);
	    if (!window.later || !String(url).endsWith('/messages')) return response;
	    readAt.push(window.later);
	    return new Response((await response.text()).replaceAll('/files/', '/files/fresh-'), { headers: { 'Content-Type': 'application/json' } });
	  };
	})()`))
	b.start()
	b.chooses(file(t, "cup.png", photo(t, 300, 200)))
	b.holds("cup.png")
	b.write("one")
	b.carry("cup.png")
	b.until("the picture is painted", `$('a.file canvas')`)
	look := `(document.dispatchEvent(new Event('visibilitychange')), true)`
	eval[bool](b, `(window.picture = $('a.file canvas'), window.later = 40 * 60_000, `+look+`)`)
	eval[bool](b, `(`+session+`) && (await fetch(location.href)).ok`) // longer than what would be asked takes to be asked
	eval[bool](b, `(window.later = 50 * 60_000, `+look+`)`)
	b.until("the link is another", `$('a.file').pathname.startsWith('/files/fresh-') && $('a.file canvas') === window.picture`)
	if at := quote(eval[[]int](b, `window.readAt`)); at != `[3000000]` {
		t.Errorf("links are read again after %s milliseconds", at)
	}
}

package widget_test

import (
	"testing"
	"time"
)

// closes gives the channel hours in which nobody is there now, and will not be for days.
func (d *desk) closes(text string) {
	d.t.Helper()
	in := time.Now().UTC().AddDate(0, 0, 3).Weekday()
	days := []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	d.sets(map[string]any{"away_text": text, "office_hours": map[string]any{
		"timezone": "UTC", "weekly": []map[string]any{{"day": days[in], "from": "09:00", "to": "09:30"}},
	}})
}

// While the desk is closed the visitor reads so, and when it opens; a message can be left. When hours change, what is shown
// does, without a reload.
func TestOfficeHours(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL+"/demo/", soon)
	b.start()
	b.until("it is open", `$('.state').textContent === 'We are here' && !$('.hours').getClientRects().length`)
	d.closes("Gone fishing.")
	b.until("it is closed", `$('.hours').innerText.startsWith('Gone fishing.') && $('.state').textContent === 'Closed at the moment' && $('.hours').innerText.includes('9:00') && $('.hours').innerText.includes('Leave a message')`)
	b.write("one")
	b.shows("you: one")
	b.accessible("closed")
	b.shot("closed")
	eval[bool](b, `window.tidemark('set', { language: 'ar', theme: { mode: 'dark' } }), true`)
	b.until("in Arabic too", `$('.hours').innerText.includes('اترك رسالة')`)
	b.accessible("closed-arabic-dark")
	b.shot("closed-arabic-dark")
	d.sets(map[string]any{"office_hours": map[string]any{"weekly": []map[string]any{}}})
	b.until("it is open again", `!$('.hours').getClientRects().length && $('.state').textContent === 'نحن هنا'`)
	b.clean()
}

// soon makes an answer about the channel old at once: a test cannot wait for a minute.
var soon = onNewPage(`(() => {
  const real = window.fetch;
  window.fetch = async (url, options) => {
    if (!String(url).includes('/chat/v1/channels/')) return real(url, options);
    const r = await real(url, { ...options, cache: 'no-store' });
    return new Response(r.body, { status: r.status, headers: { ...Object.fromEntries(r.headers), 'cache-control': 'max-age=0' } });
  };
})()`)

// A visitor who writes more than the server takes reads that it was a lot, and for how long it waits; then it goes on by
// itself, and all is there once.
func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "--visitor-rate-limit", "1")
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	want := make([]string, 0, 6)
	for _, text := range []string{"one", "two", "three", "four", "five", "six"} {
		b.write(text)
		want = append(want, "you: "+text)
	}
	b.until("it says so", `$('.notice').textContent.startsWith('That was a lot at once') && /^Goes on in \d+ s$/.test($('.state').textContent)`)
	b.accessible("limited")
	b.shot("limited")
	b.shows(want...)
	b.until("it is well again", `$('.notice').hidden && $('.state').textContent === 'We are here'`)
	d.Kill()
	d.args = withoutDatabase // this test asks at once, too
	d.start(d.Data)
	if got := quote(d.inLog(b)); got != quote(want) {
		t.Error(got)
	}
}

package widget_test

import "testing"

// countTones makes tones count.
const countTones = `(() => {
  const real = AudioContext.prototype.createOscillator;
  window.tones = 0;
  AudioContext.prototype.createOscillator = function () { window.tones++; return real.call(this); };
})()`

// An answer sounds, once the visitor has touched the widget, until they turn sound off; another page remembers that.
func TestSound(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := newVisitor(t)
	b := v.open(d.URL+"/demo/", onNewPage(countTones))
	b.start()
	b.write("one")
	b.shows("you: one")
	d.answer(b, "two")
	b.shows("you: one", "desk: two")
	b.until("two tones are heard", `window.tones === 2`)
	b.click(".sound")
	b.until("it is off", `$('.sound').getAttribute('aria-label') === 'Turn sound on'`)
	d.answer(b, "three")
	b.shows("you: one", "desk: two", "desk: three")
	other := v.open(d.URL+"/demo/", onNewPage(countTones))
	other.start()
	other.shows("you: one", "desk: two", "desk: three")
	other.until("it is off here too", `$('.sound').getAttribute('aria-label') === 'Turn sound on'`)
	d.answer(b, "four")
	for _, each := range []*tab{b, other} {
		each.shows("you: one", "desk: two", "desk: three", "desk: four")
	}
	if n, m := eval[int](b, `window.tones`), eval[int](other, `window.tones`); n != 2 || m != 0 {
		t.Errorf("%d and %d tones", n, m)
	}
	b.clean()
}

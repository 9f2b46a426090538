package widget_test

import (
	"net/http"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// asks makes the desk ask visitors how it went, when their conversation is closed.
func (d *desk) asks(question string) {
	d.t.Helper()
	d.OK(d.t, http.MethodPut, d.channel()+"/survey", map[string]any{"enabled": true, "question": question})
}

// status closes the conversation of a tab, or opens it again.
func (d *desk) status(b *tab, status string) {
	d.t.Helper()
	d.OK(d.t, http.MethodPut, "/v1/conversations/"+d.conversation(b)+"/status", map[string]any{"status": status})
}

// rated is the answer that the desk has; "0 " while it has none.
func (d *desk) rated(b *tab, want float64, comment string) {
	d.t.Helper()
	client := d.With(eval[string](b, session))
	testkit.Until(d.t, "the desk has the answer", func() bool {
		a := client.OK(d.t, http.MethodGet, "/chat/v1/messages", nil)
		return a.Get("survey.score") == want && a.Str("survey.comment") == comment
	})
}

// The desk asks how it went when a conversation is closed, and again at each closing. One answers with the keyboard alone,
// once, and may change it; who writes again is not asked.
func TestASurvey(t *testing.T) {
	t.Parallel()
	d := newWholeDesk(t)
	d.asks("How was our service?")
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	d.status(b, "closed")
	b.until("she is asked", `$('.survey').getClientRects().length && $('legend').textContent === 'How was our service?' && $$('.survey input[type=radio]').length === 5`)
	b.until("it is read out", `$('[aria-live=polite]').textContent === 'How was our service?'`)
	b.accessible("survey")
	b.shot("survey")
	eval[bool](b, `($('.survey .main').focus(), true)`)
	b.press("Enter", 13, none)
	b.until("a number is missing, and that is said", `$('#score-error').textContent === 'Please choose' && root.activeElement.getAttribute('aria-describedby') === 'score-error'`)
	for range 4 {
		b.press("ArrowRight", 39, none)
	}
	b.until("five is chosen", `$('.survey input:checked')?.value === '5' && root.activeElement.value === '5' && $('#score-error').hidden`)
	b.press("ArrowLeft", 37, none)
	b.press("Tab", 9, none)
	b.typed("quick")
	b.accessible("survey-filled")
	b.shot("survey-filled")
	b.press("Tab", 9, none)
	b.press("Enter", 13, none)
	b.until("it is thanked for", `$('.survey .said')?.textContent === 'Thank you for your answer!' && $('.given').getAttribute('aria-label') === '4 / 5' && $('.survey').contains(root.activeElement)`)
	d.rated(b, 4, "quick")
	b.accessible("survey-thanks")
	b.shot("survey-thanks")

	b.click(".survey .second")
	b.until("what she said is there", `$('.survey input:checked').value === '4' && $('#comment').value === 'quick'`)
	b.click(".survey .scale label:nth-child(2)")
	b.click(".survey .main")
	b.until("it is changed", `$('.given')?.getAttribute('aria-label') === '2 / 5'`)
	d.rated(b, 2, "quick")

	b.click(".field textarea")
	b.write("two")
	b.until("nobody asks", `!$('.survey').getClientRects().length`)
	d.status(b, "closed")
	b.until("she is asked again", `$('.survey').getClientRects().length && !$('.survey input:checked')`)
	d.status(b, "open")
	b.until("nobody asks any more", `!$('.survey').getClientRects().length`)
	b.clean()
}

// A survey waits for who was away. What is answered while the server is away is kept, also by a page that is reloaded, and
// is sent once.
func TestASurveyWaits(t *testing.T) {
	t.Parallel()
	d := newWholeDesk(t)
	d.asks("")
	v := newVisitor(t)
	b := v.open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	d.conversation(b)
	id := d.conversation(b)
	b.leave()
	d.OK(t, http.MethodPut, "/v1/conversations/"+id+"/status", map[string]any{"status": "closed"})
	b = v.open(d.URL + "/demo/")
	b.start()
	b.until("it has waited", `$('.survey').getClientRects().length && $('legend').textContent === 'How did we do?'`)
	d.Kill()
	b.until("the server is away", `$('.state').classList.contains('away')`)
	b.click(".survey .scale label:nth-child(3)")
	b.click(".survey .main")
	b.until("it is kept", `$('.survey .said').textContent === 'Waiting to be sent' && $('.given .on').textContent === '3'`)
	b.shot("survey-kept")
	b.crash()
	d.start(d.Data)
	b = v.open(d.URL + "/demo/")
	b.start()
	b.until("it is sent", `$('.survey .said')?.textContent === 'Thank you for your answer!'`)
	d.rated(b, 3, "")
}

// What was answered without a network and is no longer asked by then is not taken, and nothing is left of it: the next
// closing is asked about anew.
func TestASurveyThatIsNoLongerAsked(t *testing.T) {
	t.Parallel()
	d := newWholeDesk(t)
	d.asks("")
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.write("one")
	b.shows("you: one")
	d.status(b, "closed")
	b.until("she is asked", `$('.survey').getClientRects().length`)
	b.network(false)
	b.click(".survey .scale label:nth-child(5)")
	b.click(".survey .main")
	b.until("it is kept", `$('.survey .said').textContent === 'Waiting to be sent'`)
	d.status(b, "open")
	b.network(true)
	b.until("nobody asks", `!$('.survey').getClientRects().length && $('.state').classList.contains('online')`)
	d.status(b, "closed")
	b.until("she is asked anew", `$('.survey').getClientRects().length && $$('.survey input[type=radio]').length === 5 && !$('.survey input:checked')`)
	b.clean()
}

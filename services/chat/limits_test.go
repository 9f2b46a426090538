package chat_test

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// limited is the service behind a proxy that is believed, with a clock that stands still.
func limited(t *testing.T, change func(d *chat.Deps)) *bundle {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	return setup(t, func(_ *bundle, d *chat.Deps) {
		proxies, err := web.ParseProxies([]string{"127.0.0.0/8", "::1"})
		if err != nil {
			t.Fatal(err)
		}
		d.Proxies, d.Clock = proxies, func() time.Time { return now }
		change(d)
	})
}

// opens tries to open a session from an address, and gives the status.
func (b *bundle) opens(site, address string) int {
	b.t.Helper()
	a := b.do("POST", "/chat/v1/sessions", "", `{"site_key":"`+site+`"}`, "X-Forwarded-For", address)
	if a.status == http.StatusTooManyRequests && (a.str("code") != "rate_limited" || a.header.Get("Retry-After") == "") {
		b.t.Errorf("%s %v", a.raw, a.header)
	}
	return a.status
}

// TestNewSessionsOfAnAddress: behind a proxy each visitor has a limit of their own, and at each site another.
func TestNewSessionsOfAnAddress(t *testing.T) {
	t.Parallel()
	b := limited(t, func(d *chat.Deps) { d.Sessions = web.Limit{PerSecond: 1, Burst: 2} })
	for _, c := range []struct {
		site, address string
		want          int
	}{
		{"site_acme", "203.0.113.1", 201},
		{"site_acme", "203.0.113.1", 201},
		{"site_acme", "203.0.113.1", 429},
		{"site_acme", "1.1.1.1, 203.0.113.1", 429}, // whatever else they say of themselves
		{"site_acme", "203.0.113.2", 201},
		{"site_other", "203.0.113.1", 201},
		{"nowhere", "203.0.113.3", 404},
		{"nobody", "203.0.113.3", 404},
		{"anybody", "203.0.113.3", 429}, // who guesses is limited too
		{"site_acme", "203.0.113.3", 201},
	} {
		if got := b.opens(c.site, c.address); got != c.want {
			t.Errorf("%s from %s: %d, want %d", c.site, c.address, got, c.want)
		}
	}
}

// TestNewSessionsOfASite: a flood from everywhere is the concern of the site that it is for, and of no other.
func TestNewSessionsOfASite(t *testing.T) {
	t.Parallel()
	b := limited(t, func(d *chat.Deps) {
		d.Sessions, d.Sites = web.Limit{PerSecond: 1, Burst: 2}, web.Limit{PerSecond: 1, Burst: 5}
	})
	for n := range 10 {
		want := 201
		if n >= 5 {
			want = 429
		}
		if got := b.opens("site_acme", "203.0.113."+strconv.Itoa(n)); got != want {
			t.Errorf("visitor %d: %d, want %d", n, got, want)
		}
	}
	if got := b.opens("site_other", "203.0.113.1"); got != 201 {
		t.Errorf("another site: %d", got)
	}
	again := limited(t, func(d *chat.Deps) {
		d.Sessions, d.Sites = web.Limit{PerSecond: 1, Burst: 2}, web.Limit{PerSecond: 1, Burst: 5}
	})
	for range 10 { // one address, most of it refused: that takes nothing from the site
		again.opens("site_acme", "203.0.113.1")
	}
	if got := again.opens("site_acme", "203.0.113.2"); got != 201 {
		t.Errorf("another visitor of a site that one address floods: %d", got)
	}
}

// TestMessagesOfAVisitor: what one writes and reads is limited, and nobody else pays for it.
func TestMessagesOfAVisitor(t *testing.T) {
	t.Parallel()
	b := limited(t, func(d *chat.Deps) { d.Requests = web.Limit{PerSecond: 1, Burst: 2} })
	token, other := b.session(`{"site_key":"site_acme"}`), b.session(`{"site_key":"site_acme"}`)
	b.ok(201, "POST", "/chat/v1/messages", token, `{"id":"m1","text":"one"}`)
	b.ok(200, "GET", "/chat/v1/messages", token, "")
	if a := b.ok(429, "POST", "/chat/v1/messages", token, `{"id":"m2","text":"two"}`); a.header.Get("RateLimit-Remaining") != "0" || !strings.Contains(a.raw, "rate_limited") {
		t.Errorf("%s %v", a.raw, a.header)
	}
	b.ok(201, "POST", "/chat/v1/messages", other, `{"id":"m1","text":"one"}`)
}

// says sends a message from an address, and gives the status.
func (b *bundle) says(token, id, address string) int {
	b.t.Helper()
	a := b.do("POST", "/chat/v1/messages", token, `{"id":"`+id+`","text":"hello"}`, "X-Forwarded-For", address)
	if a.status == http.StatusTooManyRequests && (a.str("code") != "rate_limited" || a.header.Get("Retry-After") == "") {
		b.t.Errorf("%s %v", a.raw, a.header)
	}
	return a.status
}

// TestMessagesOfAnAddress: whoever opens many sessions has no more to say by it; other addresses, and the same one at another
// site, have their own.
func TestMessagesOfAnAddress(t *testing.T) {
	t.Parallel()
	counted := prometheus.NewRegistry()
	b := limited(t, func(d *chat.Deps) { d.Senders, d.Registerer = web.Limit{PerSecond: 1, Burst: 3}, counted })
	const flooder, neighbour = "203.0.113.1", "203.0.113.2"
	for n := range 6 {
		want := 201
		if n >= 3 {
			want = 429
		}
		if got := b.says(b.session(`{"site_key":"site_acme"}`), "m1", flooder); got != want {
			t.Errorf("session %d: %d, want %d", n, got, want)
		}
	}
	head := testkit.Head(t, b.log)
	flooding := b.session(`{"site_key":"site_acme"}`)
	if a := b.do("POST", "/chat/v1/conversations", flooding, `{"id":"m1","text":"another way in"}`, "X-Forwarded-For", flooder); a.status != 429 {
		t.Errorf("a further conversation: %d %s", a.status, a.raw)
	}
	b.ok(200, "GET", "/chat/v1/messages", flooding, "", "X-Forwarded-For", flooder) // what was answered can still be read
	if now := testkit.Head(t, b.log); now != head {
		t.Errorf("what was refused left %d events", now-head)
	}
	for name, got := range map[string]int{
		"a neighbour":     b.says(b.session(`{"site_key":"site_acme"}`), "m1", neighbour),
		"at another site": b.says(b.session(`{"site_key":"site_other"}`), "m1", flooder),
	} {
		if got != 201 {
			t.Errorf("%s: %d", name, got)
		}
	}
	want := map[string]float64{
		"files of address": 0, "files of visitor": 0, "messages of address": 4, "messages of channel": 0,
		"requests of visitor": 0, "sessions of address": 0, "sessions of channel": 0,
	}
	if got := refusals(t, counted); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// refusals are the metric's counts.
func refusals(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "tidemark_chat_limited_total" {
		t.Fatalf("%v %v", families, err)
	}
	out := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		out[labels["what"]+" of "+labels["of"]] = m.GetCounter().GetValue()
	}
	return out
}

// TestAFloodIsOfOneSite: while a site that is flooded from everywhere refuses what comes, everything of another is taken.
func TestAFloodIsOfOneSite(t *testing.T) {
	t.Parallel()
	b := limited(t, func(d *chat.Deps) {
		d.Senders, d.Messages = web.Limit{PerSecond: 1, Burst: 2}, web.Limit{PerSecond: 1, Burst: 5}
	})
	acme, other := b.session(`{"site_key":"site_acme"}`), b.session(`{"site_key":"site_other"}`)
	for n := range 2 * 5 { // most of one address, which takes nothing from the site once it is refused
		b.says(acme, "greedy"+strconv.Itoa(n), "203.0.113.250")
	}
	for n := range 10 {
		id, address := "m"+strconv.Itoa(n), "203.0.113."+strconv.Itoa(n)
		want := 201
		if n >= 3 { // two were the greedy one's
			want = 429
		}
		if got := b.says(acme, id, address); got != want {
			t.Errorf("message %d of the flood: %d, want %d", n, got, want)
		}
		if n < 5 {
			if got := b.says(other, id, address); got != 201 {
				t.Errorf("message %d of another site: %d", n, got)
			}
		}
	}
}

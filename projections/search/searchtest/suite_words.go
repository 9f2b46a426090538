package searchtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// texts is an engine with one conversation for each text; its id is the text's name.
func texts(t *testing.T, start Start, named map[string]string) *bundle {
	t.Helper()
	b := setup(t, start)
	for id, text := range named {
		b.log.Append(Conversation("org", id), events.ConversationOpened{Channel: events.ChannelEmail, Subject: "-"}, said("m", text))
	}
	b.log.Drive(t.Context(), t, b, 100)
	return b
}

// forms: a word finds all of its forms, and the one that was asked for first; a phrase finds its own form alone.
func forms(t *testing.T, start Start) {
	t.Helper()
	b := texts(t, start, map[string]string{
		"refund":     "I want a refund for it",
		"refunds":    "I want the refunds for it",
		"refunding":  "I want you refunding me for it",
		"cafe":       "see you at the Café",
		"decomposed": "see you at the Cafe\u0301 again",
		"resume":     "my résumé, for Ångström and Straße",
		"possessive": "this is Anna's invoice",
	})
	for _, test := range []struct{ q, first string }{{"refund", "refund"}, {"refunds", "refunds"}, {"REFUNDING", "refunding"}} {
		_, _, res := b.ask(t, search.Request{Q: test.q})
		if len(res.Hits) != 3 || res.Hits[0].ConversationID != test.first {
			t.Errorf("%s finds %+v, want three, %s first", test.q, res.Hits, test.first)
		}
	}
	for _, test := range []struct {
		q    string
		want []string
	}{
		{`"refund"`, []string{"refund"}},
		{`"want the refunds"`, []string{"refunds"}},
		{`"want the refund"`, nil},
		{"want -refunds", nil}, // what is excluded is excluded in all forms
		{`want -"refunds"`, []string{"refund", "refunding"}},
		{"refundi*", []string{"refunding"}},
		{"cafe", []string{"cafe", "decomposed"}},
		{"cafe\u0301", []string{"cafe", "decomposed"}},
		{`"the café"`, []string{"cafe", "decomposed"}},
		{"caf*", []string{"cafe", "decomposed"}},
		{"resume angstrom strasse", []string{"resume"}},
		{"RÉSUMÉ straße", []string{"resume"}},
		{"anna invoices", []string{"possessive"}},
		{"anna’s", []string{"possessive"}},
	} {
		b.wants(t, test.q, test.want...)
	}
}

func (b *bundle) wants(t *testing.T, q string, want ...string) {
	t.Helper()
	if got := b.found(t, search.Request{Q: q}); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%s finds %v, want %v", q, got, want)
	}
}

// identifiers are found whole, by their parts, and by how they begin.
func identifiers(t *testing.T, start Start) {
	t.Helper()
	all := []struct {
		id, text string
		found    []string // by each of these
	}{
		{
			"address", "write to anna.smith@example.com.",
			[]string{"anna.smith@example.com", "Anna.Smith@Example.COM", "anna.smith", "smith", "anna", "anna.smith@", "anna.sm*", "anna.smith@ex*", "@example.com", `"anna.smith@example.com"`},
		},
		{"order", "where is ORD-12345-X?", []string{"ORD-12345-X", "ord-12345-x", "ORD-12345", "12345-X", "12345", "ORD-123*", "ORD-12345-*", "123*", `"ORD-12345-X"`}},
		{
			"url", "it broke at https://shop.example.net/cart/items_list?ref=mail_campaign&n=77.",
			[]string{"https://shop.example.net/cart/items_list?ref=mail_campaign&n=77", "shop.example.net", "example.net", "shop.ex*", "/cart/items_list", "items_list", "mail_campaign", "campaign", "mail_camp*"},
		},
		{"phone", "call +49 (170) 123-4567 please", []string{"+49 (170) 123-4567", "170-123-4567", "170.123.4567", "123-4567", "123-45*", `"+49 170 123 4567"`, "4567"}},
		{
			"uuid", "request 6f1c2e7a-93bb-4d1e-8a57-0c9d8e7f6a5b failed",
			[]string{"6f1c2e7a-93bb-4d1e-8a57-0c9d8e7f6a5b", "6F1C2E7A-93BB-4D1E-8A57-0C9D8E7F6A5B", "6f1c2e7a", "6f1c2e7a-93bb", "6f1c*", "6f1c2e7a-93bb-4d*", "0c9d8e7f6a5b"},
		},
		{"host", "db-7.eu-west.internal is down (10.20.30.40:5432)", []string{"db-7.eu-west.internal", "eu-west.internal", "internal", "db-7", "db-7.eu*", "10.20.30.40", "10.20.30.40:5432", "5432", "10.20.3*"}},
		{"file", "see Screenshot_2026-01-05_final.v2.PNG", []string{"Screenshot_2026-01-05_final.v2.PNG", "screenshot", "Screenshot_2026", "2026-01-05", "final.v2.png", "png", "screensh*", "screenshot_20*"}},
		{"handle", "thanks @customer_24e6654b #ticket_9", []string{"@customer_24e6654b", "customer_24e6654b", "24e6654b", "customer_24e*", "#ticket_9"}},
	}
	named := map[string]string{
		// Everything that looks alike and is not.
		"other": "anna wrote to smith about example org, com; ORD-12346-Y, 170 at 4567, 20.10.40.30, final 2026, eu and west",
	}
	for _, x := range all {
		named[x.id] = x.text
	}
	b := texts(t, start, named)
	for _, x := range all {
		for _, q := range x.found {
			got := b.found(t, search.Request{Q: q})
			if !slices.Contains(got, x.id) {
				t.Errorf("%s finds %v, not %s", q, got, x.id)
			}
			// The parts stand side by side. How the last one begins may stand apart from them.
			if several := strings.ContainsAny(strings.Trim(q, "@#"), "-._@/ "); several && !strings.HasSuffix(q, "*") && len(got) > 1 {
				t.Errorf("%s finds %v, want only %s", q, got, x.id)
			}
		}
	}
}

// scripts: writing without blanks between words is found by any part of it, alone or among other writing.
func scripts(t *testing.T, start Start) {
	t.Helper()
	b := texts(t, start, map[string]string{
		"zh":    "你好,订单ORD99的退款政策v2在哪里?",
		"ja":    "東京タワーのコーヒーは冷たいです。ｶﾒﾗもABCカード3月に",
		"ko":    "환불을 받고싶어요. iPhone케이스 3개 주문했습니다",
		"th":    "สวัสดีครับ ผมต้องการคืนเงินสำหรับคำสั่งซื้อ A77ครับ",
		"ru":    "Где мой заказ? Верните деньги, пожалуйста",
		"el":    "Πού είναι η παραγγελία μου",
		"ar":    "أين طلبي رقم ٤٢",
		"hi":    "मेरा आदेश कहाँ है",
		"emoji": "thanks 😀👍🏽 bye 1️⃣ ❤️ done",
	})
	for _, test := range []struct{ q, want string }{
		{"退款", "zh"},
		{"款政", "zh"},
		{"策", "zh"},
		{"退款政策", "zh"},
		{"订单ord99的退款", "zh"},
		{"ORD99", "zh"},
		{"v2在哪里", "zh"},
		{"退款*", "zh"},
		{"政策 你好", "zh"},
		{"東京", "ja"},
		{"タワー", "ja"},
		{"京タ", "ja"},
		{"コーヒー", "ja"},
		{"冷たい", "ja"},
		{"カメラ", "ja"},
		{"ABC", "ja"},
		{"abcカード", "ja"},
		{"3月", "ja"},
		{"カード", "ja"},
		{"환불", "ko"},
		{"환불을", "ko"},
		{"싶어요", "ko"},
		{"iphone", "ko"},
		{"케이스", "ko"},
		{"iPhone케이스", "ko"},
		{"3개", "ko"},
		{"주문", "ko"},
		{"주문*", "ko"},
		{"คืนเงิน", "th"},
		{"คำสั่งซื้อ", "th"},
		{"ครับ", "th"},
		{"a77", "th"},
		{"A77ครับ", "th"},
		{`"คืนเงินสำหรับ"`, "th"},
		{"คืนเ*", "th"},
		{"заказ", "ru"},
		{"ВЕРНИТЕ", "ru"},
		{"пожал*", "ru"},
		{"παραγγελία", "el"},
		{"ΕΊΝΑΙ", "el"},
		{"طلبي", "ar"},
		{"आदेश", "hi"},
		{"कहाँ", "hi"},
		{`"thanks bye"`, "emoji"},
		{`"thanks 😀 bye"`, "emoji"},
		{"bye👍🏽", "emoji"},
		{`"bye 1 done"`, "emoji"},
	} {
		b.wants(t, test.q, test.want)
	}
	for _, q := range []string{"款退", "策政", "불환", "เงินคืน", "타워", "退款환불"} {
		b.wants(t, q)
	}
	for _, q := range []string{"退款", "케이스", "เงิน", "заказ"} {
		_, _, res := b.ask(t, search.Request{Q: q})
		if len(res.Hits) != 1 || len(res.Hits[0].Highlights) != 1 {
			t.Fatalf("%s: %+v", q, res.Hits)
		}
		var marked strings.Builder
		h := res.Hits[0].Highlights[0]
		end := 0
		for _, m := range h.Matches {
			if m[1] > end {
				fmt.Fprint(&marked, h.Fragment[max(m[0], end):m[1]])
				end = m[1]
			}
		}
		if marked.String() != q {
			t.Errorf("%s: marked %q in %q", q, marked.String(), h.Fragment)
		}
	}
}

package searchtest

import (
	"fmt"
	"testing"

	"github.com/tidemark-desk/tidemark/projections/search/relevance"
)

// desks are conversations that have much in common, and one thing each that somebody will look for.
var desks = map[string][]string{
	"late-parcel":   {"My parcel ORD-20417-B has not arrived, it is a week late.", "Sorry about the delay. The carrier lost it; a replacement is on its way.", "Will I be refunded for the shipping?"},
	"damaged":       {"The kettle arrived with a cracked lid, order ORD-20418-C.", "Please send us a photo of the damage.", "Here you are: kettle_lid_crack.jpg"},
	"refund-twice":  {"I was charged twice for invoice 88121 and want a refund.", "The second charge has been refunded to your card today."},
	"refund-policy": {"How long do I have to return a coat?", "Thirty days. Refunds go back to the card you paid with.", "And who pays for the return parcel?"},
	"login":         {"I can't log in, the password reset mail never comes.", "Which address do you use?", "petra.jones@mail.example.org", "It was on our bounce list, try again."},
	"two-factor":    {"I lost my phone and can't get past the login code.", "Use one of your recovery codes.", "I never wrote them down."},
	"export":        {"The CSV export of my contacts stops at 10,000 rows.", "Exports are cut there; use the API for more.", "GET /v2/contacts answers 429 all the time"},
	"router":        {"The router blinks red since the update to firmware 4.7.2", "Hold the reset button for ten seconds.", "Now it is blinking green, thank you!"},
	"slow-wifi":     {"The wireless is slow in the evening, the router is new.", "Which channel is it on?", "It says 11, like all my neighbours'."},
	"cancel":        {"Please cancel my subscription before it renews on March 3rd.", "Cancelled. You keep access until then.", "And will you delete my data?"},
	"upgrade":       {"We want to upgrade to the team plan, but pay by invoice.", "With ten seats or more you can.", "There are twelve of us, in Zürich and Łódź."},
	"chinese":       {"你好,我的退款什么时候到账?", "三到五个工作日。", "谢谢"},
	"korean":        {"주문번호 20555 배송이 늦어요", "확인해 보겠습니다."},
	"host":          {"db-3.eu-west.example.net refuses connections on port 5432", "It was restarted; please try 10.20.30.41 meanwhile."},
	"gift":          {"Can you wrap it as a gift and leave out the bill?", "Of course. What shall the card say?", "Happy birthday, dear Ödön!"},
	"warranty":      {"The drill died after 13 months, is there a warranty?", "Two years. Its serial number, please?", "SN 4400-71-AX"},
	"mixup":         {"I got somebody else's coat, mine was blue.", "We are sorry; keep it, yours is in the post.", "Tracking says 1Z999AA10123456784"},
	"noise":         {"a refund, a parcel, an order, an invoice, a card, a password, a router, a coat: I only list words", "late, twice, red, blue, slow"},
}

// judged were written by hand: what somebody would type who knows of the conversation.
var judged = []relevance.Judged{
	{Query: "parcel a week late", Conversation: "late-parcel"},
	{Query: "ORD-20417-B", Conversation: "late-parcel"},
	{Query: "carrier lost replacement", Conversation: "late-parcel"},
	{Query: "cracked kettle", Conversation: "damaged"},
	{Query: "kettle_lid_crack.jpg", Conversation: "damaged"},
	{Query: "20418", Conversation: "damaged"},
	{Query: "charged twice", Conversation: "refund-twice"},
	{Query: "invoice 88121", Conversation: "refund-twice"},
	{Query: "refunding a second charge", Conversation: "refund-twice"},
	{Query: "returning coats", Conversation: "refund-policy"},
	{Query: `"thirty days"`, Conversation: "refund-policy"},
	{Query: "petra.jones", Conversation: "login"},
	{Query: "password resets", Conversation: "login"},
	{Query: "mail.example.org", Conversation: "login"},
	{Query: "recovery code", Conversation: "two-factor"},
	{Query: "lost phone", Conversation: "two-factor"},
	{Query: "csv exports", Conversation: "export"},
	{Query: "/v2/contacts 429", Conversation: "export"},
	{Query: "router blinking red", Conversation: "router"},
	{Query: "firmware 4.7.2", Conversation: "router"},
	{Query: "firmw*", Conversation: "router"},
	{Query: "slow wireless evenings", Conversation: "slow-wifi"},
	{Query: "cancel subscription", Conversation: "cancel"},
	{Query: "delete my data", Conversation: "cancel"},
	{Query: "zurich lodz", Conversation: "upgrade"},
	{Query: "upgrading to a team plan", Conversation: "upgrade"},
	{Query: "退款", Conversation: "chinese"},
	{Query: "到账", Conversation: "chinese"},
	{Query: "배송", Conversation: "korean"},
	{Query: "주문번호 20555", Conversation: "korean"},
	{Query: "db-3.eu-west", Conversation: "host"},
	{Query: "10.20.30.41", Conversation: "host"},
	{Query: "connections refused 5432", Conversation: "host"},
	{Query: "odon birthday", Conversation: "gift"},
	{Query: "gift wrapping bill", Conversation: "gift"},
	{Query: "4400-71-AX", Conversation: "warranty"},
	{Query: "drill warranties", Conversation: "warranty"},
	{Query: "blue coat", Conversation: "mixup"},
	{Query: "1Z999AA1*", Conversation: "mixup"},
	{Query: "tracking", Conversation: "mixup"},
}

// The floors are what a change must not fall below.
const (
	floorMRR    = 0.95
	floorRecall = 1
)

// relevant holds an engine to the set that was judged by hand.
func relevant(t *testing.T, start Start) {
	t.Helper()
	b := setup(t, start)
	for id, messages := range desks {
		l := []relevance.Message{}
		for _, m := range messages {
			l = append(l, relevance.Message{From: "customer", Text: m})
		}
		list := relevance.Talk{ID: id, Subject: "Hello", Messages: l}.Events()
		b.log.Append(Conversation("org", id), list...)
	}
	b.log.Drive(t.Context(), t, b, 100)
	reports, err := relevance.Measure(t.Context(), b, "org", judged)
	if err != nil {
		t.Fatal(err)
	}
	r := reports[""]
	if r.Queries != len(judged) || r.MRR10 < floorMRR || r.Recall50 < floorRecall {
		t.Error(fmt.Sprintf("MRR@10 %.3f, at least %.2f; recall@50 %.3f, at least %d; missed", r.MRR10, floorMRR, r.Recall50, floorRecall), r.Missed)
	}
	t.Logf("MRR@10 %.3f, recall@50 %.3f", r.MRR10, r.Recall50)
}

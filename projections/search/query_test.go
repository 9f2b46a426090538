package search_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		"":                      "",
		"  two  words ":         "word:two@3 word:words@8",
		`"a b" c`:               "phrase:a b@1 word:c@7",
		`say"a b"`:              "word:say@1 phrase:a b@4",
		"-no":                   "!word:no@1",
		`-"no way"`:             "!phrase:no way@1",
		"pre*":                  "prefix:pre@1",
		"-pre*":                 "!prefix:pre@1",
		"a - b":                 "word:a@1 word:b@5",
		"status:open":           "field:status=open@1",
		"STATUS:closed":         "field:status=closed@1",
		`tag:"very important"`:  "field:tag=very important@1",
		"-tag:Spam x":           "!field:tag=spam@1 word:x@11",
		"re: invoice":           "word:re:@1 word:invoice@5",
		"https://a.example/b?c": "word:https://a.example/b?c@1",
		"at 10:30":              "word:at@1 word:10:30@4",
		"日本 -東京":                "word:日本@1 !word:東京@4",

		"a OR b":              "[word:a@1 | word:b@6]",
		"a or b OR":           "",
		"a OR b OR c":         "[word:a@1 | word:b@6 | word:c@11]",
		"a b OR c d":          "word:a@1 [word:b@3 | word:c@8] word:d@10",
		"(a b) OR c":          "[word:a@2 word:b@4 | word:c@10]",
		"(a OR b) c":          "[word:a@2 | word:b@7] word:c@10",
		"a OR (b OR c)":       "[word:a@1 | [word:b@7 | word:c@12]]",
		"((a))":               "word:a@3",
		"-(a b)":              "![word:a@3 word:b@5]",
		"-(a)":                "!word:a@3",
		"-(-a)":               "word:a@3",
		"-(a OR b)":           "![word:a@3 | word:b@8]",
		"-a OR -b":            "[!word:a@1 | !word:b@7]",
		`"a"OR"b"`:            "[phrase:a@1 | phrase:b@6]",
		"ORDER 66":            "word:ORDER@1 word:66@7",
		`"OR"`:                "phrase:OR@1",
		"a OR - b":            "[word:a@1 | word:b@8]",
		"invoice(2)":          "word:invoice(2)@1",
		"(invoice(2))":        "word:invoice(2)@2",
		"1) first":            "word:1)@1 word:first@4",
		":)":                  "word::)@1",
		"(tag:x)":             "field:tag=x@2",
		"assignee:none":       "!field:has=assignee@1",
		"-assignee:none":      "field:has=assignee@1",
		`assignee:"none"`:     "field:assignee=none@1",
		"queue:none":          "!field:has=queue@1",
		"has:attachment":      "field:has=attachment@1",
		"before:2026-01-31":   "field:before=2026-01-31@1",
		"-after:2026-01-31":   "!field:after=2026-01-31@1",
		"(re: x) OR (y -zz*)": "[word:re:@2 word:x@6 | word:y@13 !prefix:zz@15]",
	} {
		got, err := search.ParseQuery(q)
		if err != nil {
			if want != "" || q == "" {
				t.Errorf("%q: %v", q, err)
			}
			continue
		}
		if s := written(got); s != want {
			t.Errorf("%q: %s, want %s", q, s, want)
		}
	}
}

// written is how a test writes clauses down.
func written(list []search.Clause) string {
	kinds := []string{"word", "phrase", "prefix", "field"}
	out := make([]string, len(list))
	for i, c := range list {
		switch c.Kind {
		case search.Group:
			either := make([]string, len(c.Either))
			for n, alternative := range c.Either {
				either[n] = written(alternative)
			}
			out[i] = "[" + strings.Join(either, " | ") + "]"
		case search.Field:
			out[i] = fmt.Sprintf("field:%s=%s@%d", c.Field, c.Text, c.At)
		case search.Word, search.Phrase, search.Prefix, search.Near:
			out[i] = fmt.Sprintf("%s:%s@%d", kinds[c.Kind], c.Text, c.At)
		}
		if c.Not {
			out[i] = "!" + out[i]
		}
	}
	return strings.Join(out, " ")
}

func TestParseQueryRefuses(t *testing.T) {
	t.Parallel()
	for q, at := range map[string]int{
		`refund "not closed`:      8,
		`""`:                      1,
		"*":                       1,
		"a*":                      1,
		"wi*ld":                   3,
		"*wild":                   1,
		"status:":                 8,
		"x status:gone":           10,
		"priority:asap":           10,
		"channel:fax":             9,
		"stauts:open":             1,
		"退款 foo:bar":              4,
		"\xff":                    1,
		strings.Repeat("a", 1001): 1001,
		"OR a":                    1,
		"a OR":                    3,
		"a OR OR b":               6,
		"(a OR) b":                4,
		"(a":                      1,
		"x (a (b)":                3,
		"a )":                     3,
		"()":                      1,
		"x -( - )":                4,
		"(a))":                    4,
		"has:money":               5,
		"before:yesterday":        8,
		"x after:2026-13-01":      9,
		"before:2026-01-01T10:00": 8,
	} {
		_, err := search.ParseQuery(q)
		if fault.CodeOf(err) != "query_invalid" || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("at character %d:", at)) {
			t.Errorf("%q: %v, want character %d", q, err, at)
		}
	}
}

func TestParseQueryCosts(t *testing.T) {
	t.Parallel()
	for q, at := range map[string]int{
		strings.TrimSpace(strings.Repeat("a ", 33)):               65,
		strings.Repeat("a OR ", 32) + "b":                         161,
		strings.Repeat("(", 6) + "a" + strings.Repeat(")", 6):     6,
		strings.Repeat("-(x ", 6) + "a" + strings.Repeat(")", 6):  22,
		strings.Repeat("(", 400) + "a" + strings.Repeat(")", 400): 6,
		strings.Repeat("(a b c d e f g) ", 5):                     0, // five times seven
	} {
		_, err := search.ParseQuery(q)
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Code != "query_too_costly" || f.Kind != fault.Invalid || len(f.Fields) != 1 {
			t.Errorf("%q: %v", q, err)
			continue
		}
		if want := fmt.Sprintf("character %d:", at); at > 0 && !strings.HasPrefix(f.Fields[0].Message, want) {
			t.Errorf("%q: %s, want %s", q, f.Fields[0].Message, want)
		}
	}
	if _, err := search.ParseQuery(strings.Repeat("(", 5) + strings.Repeat("a ", 32) + strings.Repeat(")", 5)); err != nil {
		t.Errorf("as much as may be: %v", err)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{`a "b c" -d e*`, "status:open", `-"`, "re: x", "日本*", "a OR (b -(c OR d)) has:tag", "-(-(a)) before:2026-01-01"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		list, err := search.ParseQuery(q)
		if err != nil {
			if code := fault.CodeOf(err); code != "query_invalid" && code != "query_too_costly" {
				t.Fatalf("%q: %v", q, err)
			}
			return
		}
		if n := sound(t, q, list, 0); n > 32 {
			t.Fatalf("%q: %d conditions", q, n)
		}
		essence, _ := search.Essence(list)
		sound(t, q, essence, 0)
	})
}

// sound holds clauses to what engines rely on, and counts them.
func sound(t *testing.T, q string, list []search.Clause, depth int) (n int) {
	t.Helper()
	if depth > 12 {
		t.Fatalf("%q: nested %d deep", q, depth)
	}
	for _, c := range list {
		if c.At < 1 || c.At > utf8.RuneCountInString(q) {
			t.Fatalf("%q: clause %+v", q, c)
		}
		if c.Kind != search.Group {
			n++
			if c.Text == "" || !utf8.ValidString(c.Text) || len(c.Either) > 0 || (c.Field != "") != (c.Kind == search.Field) {
				t.Fatalf("%q: clause %+v", q, c)
			}
			continue
		}
		if len(c.Either) == 0 {
			t.Fatalf("%q: a group of nothing %+v", q, c)
		}
		for _, alternative := range c.Either {
			if len(alternative) == 0 {
				t.Fatalf("%q: an alternative of nothing %+v", q, c)
			}
			n += sound(t, q, alternative, depth+1)
		}
	}
	return n
}

func TestRequestRefuses(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]search.Request{
		"org_invalid":     {},
		"filter_invalid":  {Org: "o", Status: "gone"},
		"sort_invalid":    {Org: "o", Sort: "best"},
		"limit_invalid":   {Org: "o", Limit: 101},
		"cursor_invalid":  {Org: "o", Cursor: "no"},
		"query_invalid":   {Org: "o", Q: `"`},
		"facet_invalid":   {Org: "o", Facets: []string{"status", "customer"}},
		"cursor_mismatch": {Org: "o", Q: "other", Cursor: cursorOf(t, search.Request{Org: "o", Q: "one"})},
	} {
		if _, err := r.Parse(); fault.CodeOf(err) != want {
			t.Errorf("%+v: %v, want %s", r, err, want)
		}
	}
	foreign := search.Request{Org: "other", Q: "one", Cursor: cursorOf(t, search.Request{Org: "o", Q: "one"})}
	if _, err := foreign.Parse(); fault.CodeOf(err) != "cursor_mismatch" {
		t.Errorf("another org's cursor: %v", err)
	}
}

func cursorOf(t *testing.T, r search.Request) string {
	t.Helper()
	q, err := r.Parse()
	if err != nil {
		t.Fatal(err)
	}
	hits := []search.Hit{{ConversationID: "x"}}
	return r.Next(q, search.Result{Hits: hits, After: &search.After{ID: "x", Seen: search.Seen{}.With(hits)}})
}

// A search whose last page ends where pages end anyway has no next one; one with more has, and that is refused.
func TestTheDeepestPage(t *testing.T) {
	t.Parallel()
	r := search.Request{Org: "org", Q: "word", Limit: 100}
	page := func(total uint64) (refused error) {
		t.Helper()
		next := r
		next.Cursor = ""
		told := 0
		for {
			q, err := next.Parse()
			if err != nil {
				return err
			}
			res := search.Result{Total: total, Hits: make([]search.Hit, 100)}
			var seen search.Seen
			if q.After != nil {
				seen = q.After.Seen
			}
			for i := range res.Hits {
				res.Hits[i].ConversationID = strconv.Itoa(told + i)
			}
			told += len(res.Hits)
			res.After = &search.After{ID: strconv.Itoa(told), Seen: seen.With(res.Hits)}
			if next.Cursor = r.Next(q, res); next.Cursor == "" {
				return nil
			}
		}
	}
	if err := page(search.MaxRanked); err != nil {
		t.Errorf("all was told, and the next page is refused: %v", err)
	}
	if err := page(search.MaxRanked + 1); err == nil {
		t.Error("there is more, and nobody is told")
	}
}

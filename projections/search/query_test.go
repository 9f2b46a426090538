package search_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	kinds := []string{"word", "phrase", "prefix", "field"}
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
		"-tag:spam x":           "!field:tag=spam@1 word:x@11",
		"re: invoice":           "word:re:@1 word:invoice@5",
		"https://a.example/b?c": "word:https://a.example/b?c@1",
		"at 10:30":              "word:at@1 word:10:30@4",
		"日本 -東京":                "word:日本@1 !word:東京@4",
	} {
		got, err := search.ParseQuery(q)
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		var out []string
		for _, c := range got {
			s := kinds[c.Kind] + ":" + c.Text
			if c.Kind == search.Field {
				s = "field:" + c.Field + "=" + c.Text
			}
			if c.Not {
				s = "!" + s
			}
			out = append(out, fmt.Sprintf("%s@%d", s, c.At))
		}
		if s := strings.Join(out, " "); s != want {
			t.Errorf("%q: %s, want %s", q, s, want)
		}
	}
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
		strings.TrimSpace(strings.Repeat("a ", 33)): 65,
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

func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{`a "b c" -d e*`, "status:open", `-"`, "re: x", "日本*"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		list, err := search.ParseQuery(q)
		if err != nil {
			if fault.CodeOf(err) != "query_invalid" {
				t.Fatalf("%q: %v", q, err)
			}
			return
		}
		for _, c := range list {
			if c.Text == "" || !utf8.ValidString(c.Text) || c.At < 1 || c.At > utf8.RuneCountInString(q) {
				t.Fatalf("%q: clause %+v", q, c)
			}
		}
	})
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
	return r.Next(q, &search.After{Score: 1.5, ID: "x"})
}

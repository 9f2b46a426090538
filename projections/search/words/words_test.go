package words_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/projections/search/words"
)

func TestCut(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"anna.smith@example.com":  "anna smith@example com",
		"a_b:c.d":                 "a b c d",
		"no cut-here, nor O'Neil": "no cut-here, nor O'Neil",
		"3개":                      "3 개",
		"abc환불을x":                 "abc 환불을 x",
		"คืน":                     "ค ื น",
		"退款":                      "退款",
		"ok👍🏽":                    "ok        ",
		"cafe\u0301":              "cafe",
		"":                        "",
	} {
		if got := words.Cut(in); strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("Cut(%q) = %q, want %q", in, got, want)
		}
	}
}

// A text that is cut beforehand has the words that it has otherwise: engines that are told it cut agree with the one that cuts
// for itself.
func TestCutIsAgreedOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("aZ9.:_-'@ é\u0301退あアー한ไกًй😀\u200d👍🏽．\ufe0f1\u20e3ﾞ"))).Draw(rt, "text")
		plain, cut := words.ExactPlaces(text), words.ExactPlaces(words.Cut(text))
		if !slices.Equal(plain, cut) {
			rt.Fatalf("%q has %q, and cut %q it has %q", text, plain, words.Cut(text), cut)
		}
		for _, span := range words.ExactSpans(text, text) {
			if span[0] < 0 || span[0] >= span[1] || span[1] > len(text) {
				rt.Fatalf("span %v of %q", span, text)
			}
		}
	})
}

func FuzzSpans(f *testing.F) {
	for _, s := range []string{"anna.smith@example.com", "退款abc환불", "คืนเงิน", "\xff\xfe.", "a\u0301:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, span := range append(words.Spans(text, text, true), words.ExactSpans(text, text)...) {
			if span[0] < 0 || span[0] > span[1] || span[1] > len(text) {
				t.Fatalf("span %v of %q", span, text)
			}
		}
	})
}

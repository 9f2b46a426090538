package words

import (
	"testing"

	"pgregory.net/rapid"
)

// What is looked for by its beginning alone is never missed: every term of a text is possible in it.
func TestEveryTermOfATextIsPossible(t *testing.T) {
	t.Parallel()
	check := func(t rapid.TB, text string) {
		for _, a := range []struct {
			name  string
			terms []string
		}{{"stems", termsOf(text, true)}, {"exact", termsOf(text, false)}} {
			for _, term := range a.terms {
				if !possible(text, term) {
					t.Fatalf("%s: %q of %q", a.name, term, text)
				}
			}
		}
	}
	for _, text := range []string{
		"eyed skies", "ating izing icing", "dying tying lying", "Relational VALENCI sized sizing", "ORD-12345 a.b@example.com", "Ｆｕｌｌ width", "café's",
		"using ebbed", "sky's say", "XMLHttpRequest", "y Y yes",
	} {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`([a-zA-Z]{1,4}(ational|izer|biliti|ies|sses|eed|ing|ed|y|ying|s|'s)?[ .,-]?){0,6}`).Draw(t, "text"))
	})
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "text")) })
}

func termsOf(text string, stems bool) (out []string) {
	a := Exact
	if stems {
		a = Stems
	}
	for _, token := range a.Analyze([]byte(text)) {
		out = append(out, string(token.Term))
	}
	return out
}

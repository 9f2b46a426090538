package words

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cut writes blanks where a word ends and the rules of Unicode would go on, so that every engine cuts the same words, and
// ids and addresses fall into their parts: "anna.smith@example.com" is anna, smith, example and com. Whoever looks for the
// whole looks for its parts side by side.
//
//   - Full stops, colons and underscores end a word. Symbols and emoji are none.
//   - Chinese, Japanese and Korean writing ends where other writing begins: "3개", "abc환불".
//   - Thai, Lao, Khmer and Burmese are written without blanks; without a dictionary each character stands alone, and a word
//     is its characters side by side.
//   - Accents that stand beside their letter are taken out.
func Cut(text string) string {
	blank, breaks := cut([]byte(text))
	if len(breaks) > 0 {
		var out bytes.Buffer
		out.Grow(len(blank) + len(breaks))
		from := 0
		for _, at := range breaks {
			out.Write(blank[from:at])
			out.WriteByte(' ')
			from = at
		}
		out.Write(blank[from:])
		blank = out.Bytes()
	}
	return strings.Map(unmarked, string(blank))
}

// cut is the text with blanks in place of what ends a word, as long as before, and where else a word ends. A text with
// nothing to blank out is given back as it is; the text itself is never changed.
func cut(text []byte) (blank []byte, breaks []int) {
	blank = text
	erase := func(from, to int) {
		if &blank[0] == &text[0] {
			blank = append([]byte(nil), text...)
		}
		for i := from; i < to; i++ {
			blank[i] = ' '
		}
	}
	before := spaced
	for i := 0; i < len(text); {
		if b := text[i]; b < utf8.RuneSelf {
			if b == '.' || b == ':' || b == '_' {
				erase(i, i+1)
			}
			if before != spaced {
				breaks = append(breaks, i)
			}
			before = spaced
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch now := writing(r); {
		case ends(r):
			erase(i, i+n)
			before = spaced
		case now == spaced && before == paired && unicode.Is(unicode.M, r): // a mark belongs to what it stands on
		default:
			if now != before || now == alone {
				breaks = append(breaks, i)
			}
			before = now
		}
		i += n
	}
	return blank, breaks
}

// ends tells whether a character cannot be within a word, whatever Unicode says.
func ends(r rune) bool {
	switch {
	case r == '．', r == '：', r == '\u20e3': // the last is the frame of a key
		return true
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0x1f000 && r <= 0x1fbff, r >= 0xe0000 && r <= 0xe01ef: // how to draw, emoji and their tags
		return true
	}
	return unicode.In(r, unicode.So, unicode.Pc)
}

// How a script shows where words end.
const (
	spaced = iota // with blanks; also everything that is no letter
	paired        // not at all, or not at every word: characters and pairs are searched for
	alone         // not at all
)

func writing(r rune) int {
	switch {
	case r < 0x0e00:
		return spaced
	case unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return alone
	case r == 'ー', r == 'ﾞ', r == 'ﾟ', r == 'ｰ':
		return paired
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return paired
	}
	return spaced
}

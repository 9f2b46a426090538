package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// noName stands where a file has no name that could be kept.
const noName = "file"

// FileName makes the name that somebody gave a file harmless: its last part only, without characters that cannot be seen
// or that turn the direction of reading around (so that "exe.png" is not what it looks like), without what file systems
// refuse, and at most 200 characters with its ending kept. It never fails, and doing it again changes nothing.
func FileName(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if at := strings.LastIndexAny(s, `/\`); at >= 0 {
		s = s[at+1:]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, s)
	s = trimName(s)
	if runes := []rune(s); len(runes) > MaxName {
		ending := ""
		if at := strings.LastIndexByte(s, '.'); at > 0 && utf8.RuneCountInString(s[at:]) <= 16 {
			ending = s[at:]
		}
		s = trimName(string(runes[:MaxName-utf8.RuneCountInString(ending)])) + ending
	}
	if s == "" {
		return noName
	}
	return s
}

// trimName takes off what hides a file, and what Windows drops by itself.
func trimName(s string) string { return strings.TrimRight(strings.TrimLeft(s, ". "), ". ") }

package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tolerance is how many typos are forgiven in a word: letters that are missing, too many, other ones, or two neighbours that
// changed places. None in short words, of which another word is always near, and none in numbers and in writing whose
// characters are words.
func Tolerance(word string) int {
	letters := 0
	for _, r := range word {
		if !unicode.IsLetter(r) || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
			return 0
		}
		letters++
	}
	switch {
	case letters < 4:
		return 0
	case letters < 8:
		return 1
	}
	return 2
}

// Correctable is the one word of a piece of a query as it stands in the index, and how many typos are forgiven in it; zero
// when it is not one word, or none are.
func Correctable(text string) (word string, tolerance int) {
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) })
	if Tolerance(text) == 0 {
		return "", 0
	}
	all := Prefix(text)
	if len(all) != 1 {
		return "", 0
	}
	return all[0], Tolerance(all[0])
}

// IsNear tells whether a word is another one with typos that are forgiven. The first letter is always right.
func IsNear(word, other string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	second, _ := utf8.DecodeRuneInString(other)
	t := Tolerance(word)
	return t > 0 && first == second && Distance(word, other, t) <= t
}

// Distance is how many typos lie between two words; more than most: at least one more than most.
func Distance(a, b string, most int) int {
	from, to := []rune(a), []rune(b)
	if len(from)-len(to) > most || len(to)-len(from) > most {
		return most + 1
	}
	before, last, now := make([]int, len(to)+1), make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(from); i++ {
		now[0] = i
		least := i
		for j := 1; j <= len(to); j++ {
			cost := 1
			if from[i-1] == to[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
			least = min(least, now[j])
		}
		if least > most {
			return most + 1
		}
		before, last, now = last, now, before
	}
	return last[len(to)]
}

// NearSpans are the byte ranges of a text in which words stand that are near a word.
func NearSpans(text, word string) (out [][2]int) {
	wanted, tolerance := Correctable(word)
	if tolerance == 0 {
		return nil
	}
	size := utf8.RuneCountInString(wanted)
	start, letters := -1, 0
	end := func(at int) {
		if start >= 0 && letters >= size-tolerance && letters <= size+tolerance {
			if found, _ := Correctable(text[start:at]); found != "" && IsNear(wanted, found) {
				out = append(out, [2]int{start, at})
			}
		}
		start, letters = -1, 0
	}
	for i, r := range text {
		if !unicode.IsLetter(r) {
			end(i)
			continue
		}
		if start < 0 {
			start = i
		}
		letters++
	}
	end(len(text))
	return out
}

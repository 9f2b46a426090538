package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

func TestFileName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"photo.png":                       "photo.png",
		"Zoë – Rechnung (2).pdf":          "Zoë – Rechnung (2).pdf",
		"写真.jpg":                          "写真.jpg",
		"../../etc/passwd":                "passwd",
		`C:\\fakepath\\x.doc`:             "x.doc",
		"..":                              "file",
		"":                                "file",
		"a/":                              "file",
		".htaccess":                       "htaccess",
		"x.exe. . ":                       "x.exe",
		"a\x00b\r\nSet-Cookie: c.txt":     "ab  Set-Cookie_ c.txt",
		"invoice\u202efdp.exe":            "invoicefdp.exe",
		"a\u200bb\ufeff.txt":              "ab.txt",
		"bad\xff.txt":                     "bad\ufffd.txt",
		`"><script>.svg`:                  "___script_.svg",
		strings.Repeat("é", 300) + ".png": strings.Repeat("é", 196) + ".png",
	} {
		if got := text.FileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("photo.png")
	f.Add("../..\\ \u202e.\x00" + strings.Repeat("a.", 300))
	f.Fuzz(func(t *testing.T, in string) {
		got := text.FileName(in)
		if got == "" || !utf8.ValidString(got) || utf8.RuneCountInString(got) > text.MaxName || strings.ContainsAny(got, "/\\\"\r\n") ||
			strings.HasPrefix(got, ".") || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("%q is kept as %q", in, got)
		}
		if again := text.FileName(got); again != got {
			t.Fatalf("%q becomes %q, and that %q", in, got, again)
		}
	})
}

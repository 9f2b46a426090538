package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/internal/web"
)

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target, contentType, encoding, body string
		code                                string // empty: let through
	}{
		"plain":                  {body: `{"text":"hello"}`},
		"no body":                {},
		"tab and line breaks":    {body: `{"text":"a\tb\r\nc"}`},
		"emoji as a pair":        {body: `{"text":"\ud83d\ude00"}`},
		"escaped backslash":      {body: `{"text":"\\u0000 \\ud800"}`},
		"other json type":        {body: `{}`, contentType: "application/merge-patch+json; charset=utf-8"},
		"a full body":            {body: strings.Repeat(" ", web.MaxBody)},
		"one byte too many":      {body: strings.Repeat(" ", web.MaxBody+1), code: "body_too_large"},
		"form":                   {body: `a=b`, contentType: "application/x-www-form-urlencoded", code: "unsupported_media_type"},
		"compressed":             {body: `{}`, encoding: "gzip", code: "unsupported_media_type"},
		"bad utf-8":              {body: "{\"text\":\"a\xffb\"}", code: "text_refused"},
		"surrogate bytes":        {body: "{\"text\":\"\xed\xa0\x80\"}", code: "text_refused"},
		"cut utf-8":              {body: "{\"text\":\"\xc2", code: "text_refused"},
		"nul":                    {body: `{"text":"\u0000"}`, code: "text_refused"},
		"escape":                 {body: `{"text":"\u001B[31m"}`, code: "text_refused"},
		"backspace":              {body: `{"text":"\b"}`, code: "text_refused"},
		"form feed":              {body: `{"text":"\f"}`, code: "text_refused"},
		"delete":                 {body: "{\"text\":\"\x7f\"}", code: "text_refused"},
		"delete escaped":         {body: `{"text":"\u007f"}`, code: "text_refused"},
		"c1":                     {body: "{\"text\":\"\u0085\"}", code: "text_refused"},
		"c1 escaped":             {body: `{"text":"\u009b"}`, code: "text_refused"},
		"high surrogate alone":   {body: `{"text":"\ud800"}`, code: "text_refused"},
		"high surrogate at end":  {body: `{"text":"\ud800`, code: "text_refused"},
		"two high surrogates":    {body: `{"text":"\ud800\ud800"}`, code: "text_refused"},
		"low surrogate alone":    {body: `{"text":"\udc00"}`, code: "text_refused"},
		"in a name":              {body: `{"te\u0000xt":""}`, code: "text_refused"},
		"escape cut short":       {body: `{"text":"\u00`},
		"backslash at the end":   {body: `{"text":"\`},
		"query":                  {target: "/?q=caf%C3%A9+noir"},
		"query, bad utf-8":       {target: "/?q=%ff", code: "text_refused"},
		"query, nul":             {target: "/?q=%00", code: "text_refused"},
		"query, nul in the name": {target: "/?%00=q", code: "text_refused"},
		"query, bad escape":      {target: "/?q=%zz", code: "validation_failed"},
		"path, bad utf-8":        {target: "/%ff", code: "text_refused"},
		"path, line break":       {target: "/a%0ab", code: "text_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			h := web.CheckRequest(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = string(b)
			}))
			target := c.target
			if target == "" {
				target = "/"
			}
			for _, known := range []bool{true, false} { // with and without Content-Length
				var body io.Reader = strings.NewReader(c.body)
				if !known {
					body = io.MultiReader(body)
				}
				r := httptest.NewRequest(http.MethodPost, target, body)
				r.Header.Set("Content-Type", c.contentType)
				r.Header.Set("Content-Encoding", c.encoding)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if c.code == "" {
					if w.Code != http.StatusOK || got != c.body {
						t.Fatalf("%d %s, handler read %q", w.Code, w.Body, got)
					}
					continue
				}
				if p := problem(t, w); p.Code != c.code {
					t.Fatalf("code %q, want %q: %+v", p.Code, c.code, p)
				}
			}
		})
	}
}

// FuzzCheckJSONText: what passes decodes to text without control characters, replacement characters that were not
// there, or bytes that are not UTF-8; and nothing makes it panic.
func FuzzCheckJSONText(f *testing.F) {
	for _, s := range []string{`"a"`, `"\ud83d\ude00"`, `"\ud800"`, `"\u0000"`, "\"\xc2", `"\u00`, "\"\x7f\"", `"\\u0000"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if web.CheckJSONText(body) != nil {
			return
		}
		var s string
		if json.Unmarshal(body, &s) != nil {
			return
		}
		if !utf8.ValidString(s) {
			t.Fatalf("%q decodes to bad UTF-8", body)
		}
		for _, r := range s {
			if r == utf8.RuneError && !strings.Contains(string(body), "\uFFFD") && !strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
				t.Fatalf("%q was mended to %q", body, s)
			}
			if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 {
				t.Fatalf("%q has a control character", s)
			}
		}
	})
}

func problem(t *testing.T, w *httptest.ResponseRecorder) web.Problem {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != web.ProblemType {
		t.Fatalf("content type %q of %d %s", got, w.Code, w.Body)
	}
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if p.Status != w.Code || p.Type != "/docs/errors#"+p.Code || p.Title == "" || p.Detail == "" {
		t.Fatalf("status %d with %+v", w.Code, p)
	}
	return p
}

package web

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// MaxBody is the largest body that a request may have, in bytes.
const MaxBody = 1 << 20

// CheckRequest lets only requests through whose path, query and body are sound text, whose body is at most MaxBody
// and says that it is JSON. The checks are on the raw bytes, because decoding would silently mend what is wrong:
// encoding/json turns bad UTF-8 and half surrogate pairs into U+FFFD. The bodies of the raw paths are left alone: they are
// files, and whoever answers there reads and bounds them. How long a body may take is for CutOff to say.
func CheckRequest(next http.Handler, raw ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkRequest(w, r, slices.Contains(raw, r.URL.Path)); err != nil {
			WriteError(w, r, nil, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func checkRequest(w http.ResponseWriter, r *http.Request, raw bool) error {
	if err := checkText("path", r.URL.Path, false); err != nil {
		return err
	}
	if err := checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	if raw || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if err := checkMediaType(r.Header); err != nil {
		return err
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := CheckJSONText(body); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return nil
}

func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Invalid(fault.Field{Location: "query", Message: "is not well-formed"})
	}
	for name, all := range values {
		if err := checkText("query", name, false); err != nil {
			return err
		}
		for _, v := range all {
			if err := checkText("query."+name, v, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkMediaType(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && e != "identity" {
		return ErrMediaType
	}
	contentType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	contentType = strings.ToLower(strings.TrimSpace(contentType))
	if contentType == "" || contentType == "application/json" ||
		strings.HasPrefix(contentType, "application/") && strings.HasSuffix(contentType, "+json") {
		return nil
	}
	return ErrMediaType
}

// readBody reads the whole body, but no more than MaxBody.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, ErrBodyTooLarge
	}
	buf := bytes.NewBuffer(make([]byte, 0, max(r.ContentLength+1, 512)))
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, MaxBody))
	if err == nil {
		// Left in place, the limit of CutOff would end the request's context in the middle of the handler.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		return buf.Bytes(), nil
	}
	w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, ErrBodyTooLarge
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, ErrBodyTimeout
	}
	return nil, ErrBodyMalformed.WithHint("it ended before it was complete").WithCause(err)
}

// CheckJSONText refuses JSON whose text cannot be kept as it is: bytes that are not UTF-8, control characters (also
// as escapes) and half surrogate pairs. It does not check the JSON itself.
func CheckJSONText(body []byte) error {
	if !utf8.Valid(body) {
		return refused("body", "is not UTF-8")
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == 0x7f, c == 0xc2 && body[i+1] < 0xa0: // DEL; U+0080 to U+009F (what is UTF-8 has a byte after C2)
			return refused("body", "has a control character")
		case c == '\\' && i+1 < len(body):
			n, err := checkEscape(body[i:])
			if err != nil {
				return err
			}
			i += n - 1
		}
	}
	return nil
}

// checkEscape checks the escape that s begins with and tells how many bytes it has.
func checkEscape(s []byte) (int, error) {
	switch s[1] {
	case 'b', 'f':
		return 0, refused("body", "has a control character")
	case 'u':
	default:
		return 2, nil
	}
	r, ok := hex4(s)
	if !ok {
		return 2, nil // not JSON; the decoder says so
	}
	switch {
	case utf16.IsSurrogate(r):
		low, ok := hex4(s[6:])
		if !ok || utf16.DecodeRune(r, low) == unicode.ReplacementChar {
			return 0, refused("body", "has half of a surrogate pair")
		}
		return 12, nil
	case refusedRune(r):
		return 0, refused("body", "has a control character")
	}
	return 6, nil
}

// hex4 reads \uXXXX.
func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}

// checkText is CheckJSONText for plain text.
func checkText(location, s string, breaks bool) error {
	if !utf8.ValidString(s) {
		return refused(location, "is not UTF-8")
	}
	for _, r := range s {
		if refusedRune(r) || !breaks && unicode.IsControl(r) {
			return refused(location, "has a control character")
		}
	}
	return nil
}

func refusedRune(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
}

func refused(location, message string) error {
	return ErrTextRefused.WithFields(fault.Field{Location: location, Message: message})
}

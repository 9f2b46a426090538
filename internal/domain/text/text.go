// Package text says which texts the domain takes: how long, which characters.
//
// Every text is valid UTF-8 without control characters. A Body is what people write to each other and may have
// lines and tabs; a Line is a name, a subject or a reason. Lengths are in characters, not bytes. What is refused is
// refused with the code text_invalid and the name of the field.
package text

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The limits, in characters.
const (
	MaxBody   = 10_000
	MaxName   = 200
	MaxLine   = 500
	MaxReason = 200
	MaxTag    = 64
)

// NoReason stands where somebody gave none.
const NoReason = "unspecified"

// Body checks a message or a note: 1 to 10,000 characters, not all of them blank. It is kept as written.
func Body(field, s string) error {
	if err := check(field, s, MaxBody, true); err != nil {
		return err
	}
	if strings.TrimSpace(s) == "" {
		return refuse(field, "must not be empty")
	}
	return nil
}

// Line checks a text of one line, without the blanks around it; it may be empty.
func Line(field, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	return s, check(field, s, limit, false)
}

// Lines is a text that may have several lines, without the blanks around it; it may be empty.
func Lines(field, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	return s, check(field, s, limit, true)
}

// Name is a Line of 1 to 200 characters.
func Name(field, s string) (string, error) {
	s, err := Line(field, s, MaxName)
	if err == nil && s == "" {
		err = refuse(field, "must not be empty")
	}
	return s, err
}

// Reason is a Line; NoReason when it is empty.
func Reason(s string) (string, error) {
	s, err := Line("reason", s, MaxReason)
	if s == "" {
		s = NoReason
	}
	return s, err
}

// Tag is a Line of 1 to 64 characters in lower case, so that a tag has one spelling. It has no comma: lists of
// tags are written with commas.
func Tag(s string) (string, error) {
	s, err := Line("tag", strings.ToLower(s), MaxTag)
	switch {
	case err != nil:
		return s, refusal.ErrTagInvalid.WithCause(err).WithFields(fieldsOf(err)...)
	case s == "":
		return s, refusal.ErrTagInvalid.WithFields(fault.Field{Location: "tag", Message: "must not be empty"})
	case strings.ContainsRune(s, ','):
		return s, refusal.ErrTagInvalid.WithFields(fault.Field{Location: "tag", Message: "must not contain a comma"})
	}
	return s, nil
}

// ID checks an id that will stand in the log.
func ID(field, id string) error {
	if !events.ValidID(id) {
		return refusal.ErrIDInvalid.WithFields(fault.Field{Location: field, Message: refusal.ErrIDInvalid.Message})
	}
	return nil
}

func check(field, s string, limit int, lines bool) error {
	if !utf8.ValidString(s) {
		return refuse(field, "must be UTF-8")
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return refuse(field, fmt.Sprintf("has %d characters, at most %d are allowed", n, limit))
	}
	for _, r := range s {
		if unicode.IsControl(r) && (!lines || r != '\n' && r != '\r' && r != '\t') {
			return refuse(field, fmt.Sprintf("must not contain the control character %U", r))
		}
	}
	return nil
}

func refuse(field, message string) *fault.Fault {
	f := *refusal.ErrTextInvalid
	f.Message = field + " " + message
	return f.WithFields(fault.Field{Location: field, Message: message})
}

func fieldsOf(err error) []fault.Field {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return nil
	}
	return f.Fields
}

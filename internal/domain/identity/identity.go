// Package identity brings the addresses by which customers are known to one spelling, so that two spellings of one
// address meet the same claim.
//
// It is strict where a mistake would join two people and lenient where it would only split one: an email address is
// compared in lower case, a phone number must carry its country, a handle loses its @, an external id is kept as is.
package identity

import (
	"strings"
	"unicode"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// Normalise gives an address its one spelling, or refuses it.
func Normalise(t events.IdentityType, value string) (events.Identity, error) {
	value, err := text.Line(string(t), value, 254)
	if err != nil {
		return events.Identity{}, err
	}
	var why string
	switch t {
	case events.IdentityEmail:
		value, why = email(value)
	case events.IdentityPhone:
		value, why = phone(value)
	case events.IdentityX:
		value, why = handle(value, 50) // more than X allows today: other systems mask and lengthen them
	case events.IdentityFacebook:
		value, why = handle(value, 64)
	case events.IdentityExternalID:
		if value == "" || len(value) > 200 {
			why = "must have 1 to 200 bytes"
		}
	default:
		return events.Identity{}, refuse("type", "must be one of email, phone, x, facebook, external_id")
	}
	if why != "" {
		return events.Identity{}, refuse(string(t), why)
	}
	return events.Identity{Type: t, Value: value}, nil
}

// email takes local@domain. The standard lets the local part differ by case; no mail provider of note does.
func email(s string) (address, why string) {
	s = strings.ToLower(s)
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || strings.ContainsFunc(s, unicode.IsSpace) || strings.ContainsAny(s, "<>()[]\\,;:\"") ||
		strings.Contains(s[:at], "@") || strings.Contains(s, "..") || s[0] == '.' || s[at-1] == '.' {
		return s, "must be an email address such as ann@example.com"
	}
	host := s[at+1:]
	if !strings.Contains(host, ".") && host != "localhost" {
		return s, "must have a domain, such as example.com"
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notHost) {
			return s, "must have a domain, such as example.com"
		}
	}
	return s, ""
}

func notHost(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' }

// phone takes E.164, however it is punctuated. Without the + nobody knows which country it is in.
func phone(s string) (number, why string) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-.()/", r) {
			return -1
		}
		return r
	}, s)
	if rest, ok := strings.CutPrefix(digits, "00"); ok {
		digits = "+" + rest
	}
	if len(digits) < 8 || len(digits) > 16 || digits[0] != '+' || digits[1] == '0' || strings.Trim(digits[1:], "0123456789") != "" {
		return s, "must be a phone number with its country, such as +49 30 901820"
	}
	return digits, ""
}

func handle(s string, limit int) (name, why string) {
	s = strings.ToLower(strings.TrimPrefix(s, "@"))
	if s == "" || len(s) > limit || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	}) {
		return s, "must be a handle of letters, digits, '_', '.' or '-'"
	}
	return s, ""
}

func refuse(field, message string) error {
	return refusal.ErrIdentityInvalid.WithFields(fault.Field{Location: field, Message: message})
}

package conversation

import (
	"fmt"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The limits of the attachments of a message or a note.
const (
	MaxAttachments    = 10
	MaxAttachmentSize = 10 << 20 // bytes
	maxMediaType      = 127      // characters
)

// checkContent checks what a message or a note says: a text, attachments, or both. It gives the attachments as they are kept, with
// their names made harmless.
func checkContent(body string, attachments []events.Attachment) ([]events.Attachment, error) {
	if body != "" || len(attachments) == 0 {
		if err := text.Body("text", body); err != nil {
			return nil, err
		}
	}
	if len(attachments) > MaxAttachments {
		return nil, refuseAttachments("attachments", fmt.Sprintf("are %d, at most %d are allowed", len(attachments), MaxAttachments))
	}
	var out []events.Attachment
	for n, a := range attachments {
		if message := wrongWith(a); message != "" {
			return nil, refuseAttachments(fmt.Sprintf("attachments[%d]", n), message)
		}
		a.Name = text.FileName(a.Name)
		out = append(out, a)
	}
	return out, nil
}

// wrongWith is why an attachment is not one; empty when it is.
func wrongWith(a events.Attachment) string {
	switch {
	case len(a.ID) != 64 || strings.Trim(a.ID, "0123456789abcdef") != "":
		return "has an id that is no SHA-256"
	case a.Size < 1 || a.Size > MaxAttachmentSize:
		return fmt.Sprintf("has %d bytes, 1 to %d are allowed", a.Size, MaxAttachmentSize)
	case !mediaType(a.Type):
		return "has no media type"
	case a.Width < 0 || a.Height < 0 || (a.Width == 0) != (a.Height == 0):
		return "has no size that an image can have"
	}
	return ""
}

// mediaType tells whether s is two names with a slash between, as RFC 6838 has them, without parameters.
func mediaType(s string) bool {
	kind, name, _ := strings.Cut(s, "/")
	return len(s) <= maxMediaType && token(kind) && token(name)
}

func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$&-^_.+", r)
	})
}

func refuseAttachments(field, message string) error {
	f := *refusal.ErrAttachmentsInvalid
	f.Message = field + " " + message
	return f.WithFields(fault.Field{Location: field, Message: message})
}

package conversation_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

var (
	photo   = events.Attachment{ID: strings.Repeat("0a", 32), Name: "photo.png", Type: "image/png", Size: 7, Width: 4, Height: 3}
	invoice = events.Attachment{ID: strings.Repeat("0b", 32), Name: "invoice.pdf", Type: "application/pdf", Size: conversation.MaxAttachmentSize}
)

func TestAttachments(t *testing.T) {
	t.Parallel()
	changed := func(change func(a *events.Attachment)) events.Attachment {
		a := photo
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		text  string
		files []events.Attachment
		want  error
	}{
		"files and no text":       {"", []events.Attachment{photo, invoice}, nil},
		"files and text":          {"Look", []events.Attachment{photo}, nil},
		"as many as may be":       {"", slices.Repeat([]events.Attachment{photo}, conversation.MaxAttachments), nil},
		"neither":                 {"", nil, refusal.ErrTextInvalid},
		"a blank text, with file": {" \n", []events.Attachment{photo}, refusal.ErrTextInvalid},
		"one too many":            {"", slices.Repeat([]events.Attachment{photo}, conversation.MaxAttachments+1), refusal.ErrAttachmentsInvalid},
		"no hash":                 {"", []events.Attachment{changed(func(a *events.Attachment) { a.ID = "../../etc/passwd" })}, refusal.ErrAttachmentsInvalid},
		"hash in capitals":        {"", []events.Attachment{changed(func(a *events.Attachment) { a.ID = strings.ToUpper(a.ID) })}, refusal.ErrAttachmentsInvalid},
		"empty":                   {"", []events.Attachment{changed(func(a *events.Attachment) { a.Size = 0 })}, refusal.ErrAttachmentsInvalid},
		"too large":               {"", []events.Attachment{changed(func(a *events.Attachment) { a.Size = conversation.MaxAttachmentSize + 1 })}, refusal.ErrAttachmentsInvalid},
		"no type":                 {"", []events.Attachment{changed(func(a *events.Attachment) { a.Type = "" })}, refusal.ErrAttachmentsInvalid},
		"a header in the type":    {"", []events.Attachment{changed(func(a *events.Attachment) { a.Type = "image/png\r\nX: y" })}, refusal.ErrAttachmentsInvalid},
		"flat":                    {"", []events.Attachment{changed(func(a *events.Attachment) { a.Height = 0 })}, refusal.ErrAttachmentsInvalid},
	} {
		state := conversation.Evolve(conversation.State{}, opened)
		for _, command := range []conversation.Command{
			conversation.ReceiveMessage{MessageID: "m", Text: c.text, Attachments: c.files},
			conversation.WriteMessage{MessageID: "m", Author: ann, Text: c.text, Attachments: c.files},
			conversation.AddNote{NoteID: "n", Author: ann, Text: c.text, Attachments: c.files},
		} {
			made, err := conversation.Decide(state, command)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %T: %v, want %v", name, command, err, c.want)
			}
			if c.want != nil {
				continue
			}
			var files []events.Attachment
			switch e := made[0].(type) {
			case events.ConversationMessageReceived:
				files = e.Attachments
			case events.ConversationMessageWritten:
				files = e.Attachments
			case events.ConversationNoteAdded:
				files = e.Attachments
			}
			if !slices.Equal(files, c.files) {
				t.Errorf("%s: %T: kept %v", name, command, files)
			}
		}
	}
	named := changed(func(a *events.Attachment) { a.Name = "C:\\fakepath\\cod.\u202egnp.exe" })
	made, err := conversation.Decide(conversation.Evolve(conversation.State{}, opened), conversation.ReceiveMessage{MessageID: "m", Attachments: []events.Attachment{named}})
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := made[0].(events.ConversationMessageReceived); !ok || e.Attachments[0].Name != "cod.gnp.exe" {
		t.Errorf("a name that misleads is kept as %+v", made)
	}
}

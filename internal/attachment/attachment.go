// Package attachment takes files from whoever may write a message, and shows them to whoever may read it.
//
// An upload is answered with a ticket: a signed text that says what was kept, where, and who brought it. A message that
// lists tickets becomes an event that says what its files are; no database knows of either. Whoever reads the message
// gets a link for each file, signed and good for some hours; Handler answers it without asking who follows it.
//
// Files are in the folder of their conversation, so that erasing a conversation is erasing a folder. What a file is, is
// found in its bytes: nobody believes what its sender says, and a browser is told to believe nothing either. It must not
// know what a session or an API key is: who may upload or read is for the services to say.
package attachment

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// MaxSize is how large a file may be, in bytes.
const MaxSize = conversation.MaxAttachmentSize

// What may be wrong with files.
var (
	ErrTooLarge    = fault.New(fault.Invalid, "attachment_too_large", "the file is larger than 10 MiB")
	ErrUnknown     = fault.New(fault.Invalid, "attachment_unknown", "an attachment is the id of a file that was uploaded for this conversation, by who writes").WithHint("upload the file, and take the id as it is")
	ErrExpired     = fault.New(fault.Invalid, "attachment_expired", "the upload is too long ago to be sent with a message").WithHint("upload the file again")
	ErrLinkInvalid = fault.New(fault.Forbidden, "link_invalid", "the link to the file is not valid, or no longer").WithHint("read the message again: it comes with a new link")
	errAway        = fault.New(fault.Unavailable, "files_unavailable", "files cannot be kept or read now").WithHint("try again in a moment; messages without files are taken")
	errStarting    = fault.New(fault.Unavailable, "starting", "the server has not read its configuration yet").WithHint("try again in a moment")
)

// Directory has the orgs, under whose keys tickets and links are signed.
type Directory interface {
	Wait(ctx context.Context) error
	Org(id string) (directory.Org, bool)
}

// Deps is what is needed. What may be nil or zero says so.
type Deps struct {
	Store     blob.Store
	Directory Directory
	Logger    *slog.Logger     // nil: nothing is logged
	Clock     func() time.Time // nil: time.Now
	Slowest   time.Duration    // that an upload or an answer may be; zero: 2 min
	Starting  time.Duration    // how long a request waits for the directory; zero: 5 s
}

// Files takes and shows attachments.
type Files struct {
	Deps
	decoding *semaphore.Weighted
}

// New makes Files.
func New(d Deps) *Files {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Slowest == 0 {
		d.Slowest = 2 * time.Minute
	}
	if d.Starting == 0 {
		d.Starting = 5 * time.Second
	}
	return &Files{Deps: d, decoding: semaphore.NewWeighted(1)}
}

// Owner is whose an upload is: nobody else can send it, and nowhere else.
type Owner struct {
	Org          string
	Conversation string
	By           string // who brought it, as the service names them
}

func (o Owner) folder() blob.Folder { return blob.Folder{Org: o.Org, ID: o.Conversation} }

// Uploaded is what an upload is answered with.
type Uploaded struct {
	ID     string `json:"id" doc:"List it in the attachments of a message, within a day."`
	Name   string `json:"name" doc:"As it is kept: without a path, and without characters that mislead."`
	Type   string `json:"type" doc:"Media type, found in the file itself."`
	Size   int    `json:"size" doc:"In bytes."`
	Width  int    `json:"width,omitempty" doc:"In pixels, of an image that browsers are shown."`
	Height int    `json:"height,omitempty"`
}

// Attachment is a file of a message, as who reads the message sees it.
type Attachment struct {
	ID     string `json:"id" doc:"SHA-256 of the file, in hex."`
	Name   string `json:"name"`
	Type   string `json:"type" doc:"Media type, found in the file itself."`
	Size   int    `json:"size" doc:"In bytes."`
	Width  int    `json:"width,omitempty" doc:"In pixels, of an image; anything else is only downloaded."`
	Height int    `json:"height,omitempty"`
	URL    string `json:"url" doc:"Where the file is, on this server. Good for some hours, without a key or a session."`
}

// Show gives the attachments of a message with links that work now; nil when it has none. The caller has seen to it that
// who reads may read the conversation.
func (f *Files) Show(org, conversationID string, list []events.Attachment) []Attachment {
	var out []Attachment
	for _, a := range list {
		out = append(out, Attachment{
			ID: a.ID, Name: a.Name, Type: a.Type, Size: a.Size, Width: a.Width, Height: a.Height,
			URL: f.link(org, conversationID, a),
		})
	}
	return out
}

// DeleteFolder deletes all files of a conversation.
func (f *Files) DeleteFolder(ctx context.Context, org, conversationID string) error {
	return f.Store.DeleteFolder(ctx, blob.Folder{Org: org, ID: conversationID})
}

// ready waits, not for long, until the directory has caught up once.
func (f *Files) ready(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, f.Starting)
	defer cancel()
	if err := f.Directory.Wait(bounded); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errStarting.WithCause(err)
	}
	return nil
}

func (f *Files) key(org, purpose string) ([]byte, bool) {
	o, ok := f.Directory.Org(org)
	if !ok {
		return nil, false
	}
	return o.DerivedKey(purpose), true
}

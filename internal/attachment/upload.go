package attachment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Receive keeps the body of a request as a file of the owner's conversation. The body is read as it comes, no more of it
// than a file may have and no longer than an upload may take; it is whole on disk before anything is answered. exists is
// asked afterwards whether the conversation is still to be kept: an erasure that has passed by meanwhile found no file.
func (f *Files) Receive(w http.ResponseWriter, r *http.Request, o Owner, name string, exists func(ctx context.Context) error) (Uploaded, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return Uploaded{}, web.ErrMediaType
	}
	if r.ContentLength > MaxSize {
		w.Header().Set("Connection", "close") // what there is of the body is not worth reading
		return Uploaded{}, ErrTooLarge
	}
	ctx, cancel := context.WithTimeout(r.Context(), f.Slowest)
	defer cancel()
	control := http.NewResponseController(w)
	deadline := control.SetReadDeadline(time.Now().Add(f.Slowest)) == nil
	a, spool, err := f.take(http.MaxBytesReader(w, r.Body, MaxSize), name)
	if deadline { // left in place, it would end the request's context in the middle of the rest
		_ = control.SetReadDeadline(time.Time{})
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		return Uploaded{}, err
	}
	defer spool.Close()
	if err := f.describe(ctx, spool, &a); err != nil {
		return Uploaded{}, err
	}
	if err := f.keep(ctx, o, a, spool); err != nil {
		return Uploaded{}, err
	}
	if err := exists(ctx); err != nil {
		return Uploaded{}, errors.Join(err, f.dropErased(ctx, o, err))
	}
	id, ok := f.issue(o, a)
	if !ok {
		return Uploaded{}, ErrUnknown
	}
	return Uploaded{ID: id, Name: a.Name, Type: a.Type, Size: a.Size, Width: a.Width, Height: a.Height}, nil
}

// dropErased deletes what came behind an erasure. Not knowing is no reason to delete what others may have sent.
func (f *Files) dropErased(ctx context.Context, o Owner, why error) error {
	if fault.KindOf(why) != fault.NotFound && fault.KindOf(why) != fault.Unauthenticated {
		return nil
	}
	if err := f.Store.DeleteFolder(context.WithoutCancel(ctx), o.folder()); err != nil {
		return f.away(ctx, "a file that came behind an erasure was not deleted", o, err)
	}
	return nil
}

// take writes a body to a file without a name, so that nothing is left of it when this process is killed.
func (f *Files) take(body io.Reader, name string) (a events.Attachment, spool *os.File, err error) {
	spool, err = os.CreateTemp("", "tidemark-upload-*")
	if err != nil {
		return a, nil, errAway.WithCause(err)
	}
	_ = os.Remove(spool.Name())
	defer func() {
		if err != nil {
			_ = spool.Close()
		}
	}()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(spool, hash), body)
	if err != nil {
		return a, nil, ofBody(err)
	}
	if n == 0 {
		return a, nil, web.Invalid(fault.Field{Location: "body", Message: "must not be empty"})
	}
	return events.Attachment{ID: hex.EncodeToString(hash.Sum(nil)), Name: text.FileName(name), Size: int(n)}, spool, nil
}

// ofBody is what went wrong while a body was read, or written down.
func ofBody(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return ErrTooLarge
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return web.ErrBodyTimeout
	}
	if _, ours := errors.AsType[*os.PathError](err); ours {
		return errAway.WithCause(err)
	}
	return web.ErrBodyMalformed.WithHint("it ended before it was complete").WithCause(err)
}

// describe finds in a file what it is.
func (f *Files) describe(ctx context.Context, spool *os.File, a *events.Attachment) error {
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return errAway.WithCause(err)
	}
	found, err := mimetype.DetectReader(spool) // reads the beginning only
	if err != nil {
		return errAway.WithCause(err)
	}
	a.Type, _, _ = strings.Cut(found.String(), ";") // without parameters
	if !shown(a.Type) {
		return nil
	}
	a.Width, a.Height, err = f.decode(ctx, spool, a.Type)
	return err
}

// keep puts a file where it stays.
func (f *Files) keep(ctx context.Context, o Owner, a events.Attachment, spool *os.File) error {
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return errAway.WithCause(err)
	}
	if err := f.Store.Put(ctx, blob.Key{Folder: o.folder(), Hash: a.ID}, spool, int64(a.Size)); err != nil {
		return f.away(ctx, "a file was not kept", o, err)
	}
	return nil
}

// away tells the operator why files cannot be kept, and the caller that they cannot.
func (f *Files) away(ctx context.Context, message string, o Owner, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("keep a file: %w", ctx.Err())
	}
	f.Logger.WarnContext(ctx, message, "org", o.Org, "conversation", o.Conversation, "error", err) //nolint:sloglint // one of two constants
	return errAway.WithCause(err)
}

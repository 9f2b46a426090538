// Package blob keeps the bytes of files: what is too large for the log, which has only what is said of them.
//
// A blob is named by the SHA-256 of its bytes within a folder of an org. Folders are what is deleted, as a whole, when
// whom the files are about is erased; so nothing is shared between folders, and the same bytes in two of them are kept
// twice. Putting what is there already changes nothing.
//
// Dir keeps them on this machine, S3 in a bucket; both pass one suite. It must not know what a blob is or who may see it.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// ErrNotFound says that there is no such blob.
var ErrNotFound = fault.New(fault.NotFound, "file_not_found", "the file is not there, or no longer")

// Folder is what blobs are deleted by.
type Folder struct{ Org, ID string }

// Key names a blob.
type Key struct {
	Folder
	Hash string // SHA-256, in hex
}

// Store keeps blobs.
type Store interface {
	// Put keeps size bytes of r under k. When it returns nil they survive whatever happens to this process or machine;
	// when it does not, nobody sees a part of them.
	Put(ctx context.Context, k Key, r io.Reader, size int64) error
	// Open reads a blob; ErrNotFound.
	Open(ctx context.Context, k Key) (io.ReadSeekCloser, error)
	// DeleteFolder deletes everything in a folder. One that is not there is no error.
	DeleteFolder(ctx context.Context, f Folder) error
	// EachFolder calls fn with every folder, and when something was last put in it; fn may delete it. Its first error
	// ends it.
	EachFolder(ctx context.Context, fn func(f Folder, last time.Time) error) error
}

// Open is the store that a URL names: s3://BUCKET/PREFIX?endpoint=URL&region=NAME, or a directory, also as file://PATH.
func Open(location string) (Store, error) {
	if strings.HasPrefix(location, "s3://") {
		c, err := ParseS3(location)
		if err != nil {
			return nil, err
		}
		return NewS3(c)
	}
	return NewDir(strings.TrimPrefix(location, "file://"))
}

// Check tells what is wrong with a location, without opening it.
func Check(location string) error {
	scheme, _, isURL := strings.Cut(location, "://")
	switch {
	case !isURL, scheme == "file":
		return nil
	case scheme == "s3":
		_, err := ParseS3(location)
		return err
	default:
		return fmt.Errorf("%q is neither a directory nor a URL such as s3://bucket/prefix", scheme+"://…")
	}
}

// ParseS3 reads the URL of a bucket.
func ParseS3(location string) (S3Config, error) {
	const example = "s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-central-1"
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return S3Config{}, fmt.Errorf("not a URL such as %s", example)
	}
	if u.User != nil {
		return S3Config{}, errors.New("credentials do not belong in the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	c := S3Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Endpoint: "https://s3.amazonaws.com"}
	for name, values := range u.Query() {
		switch name {
		case "endpoint":
			c.Endpoint = values[0]
		case "region":
			c.Region = values[0]
		default:
			return S3Config{}, fmt.Errorf("%s is not known: write it as in %s", name, example)
		}
	}
	if e, err := url.Parse(c.Endpoint); err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || strings.Trim(e.Path, "/") != "" {
		return S3Config{}, errors.New("endpoint: not a URL such as https://s3.example.com")
	}
	return c, nil
}

// check keeps whatever is no id and no hash out of paths.
func (f Folder) check() error {
	if !events.ValidID(f.Org) || !events.ValidID(f.ID) {
		return fmt.Errorf("blob: %q/%q is no folder", f.Org, f.ID)
	}
	return nil
}

func (k Key) check() error {
	if len(k.Hash) != 64 || strings.Trim(k.Hash, "0123456789abcdef") != "" {
		return fmt.Errorf("blob: %q is no SHA-256", k.Hash)
	}
	return k.Folder.check()
}

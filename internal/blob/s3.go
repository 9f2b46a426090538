package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Config says which bucket of which service.
type S3Config struct {
	Endpoint string // http(s)://host[:port]
	Region   string // may be empty
	Bucket   string // must exist
	Prefix   string // of all keys; may be empty
}

// S3 keeps blobs as objects of a bucket: PREFIX/ORG/FOLDER/HASH. An object is there whole or not at all, and the service
// answers once it is safe. The bucket must not keep old versions, or what is deleted is not.
type S3 struct {
	client *minio.Client
	bucket string
	prefix string
}

var _ Store = (*S3)(nil)

// NewS3 makes a store; nothing is asked of the service yet. The credentials are those of the environment, of the shared
// file of AWS, or of the machine's role, whichever is there first.
func NewS3(c S3Config) (*S3, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint of the bucket: %w", err)
	}
	secure := u.Scheme == "https"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("connect to the bucket: %w", err)
	}
	transport.IdleConnTimeout = 30 * time.Second
	client, err := minio.New(u.Host, &minio.Options{
		Secure: secure, Region: c.Region, Transport: transport,
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the bucket: %w", err)
	}
	return &S3{client: client, bucket: c.Bucket, prefix: c.Prefix}, nil
}

// Put writes an object.
func (s *S3) Put(ctx context.Context, k Key, r io.Reader, size int64) error {
	if err := k.check(); err != nil {
		return err
	}
	_, err := s.client.PutObject(ctx, s.bucket, path.Join(s.folder(k.Folder), k.Hash), r, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true, // files are small
	})
	if err != nil {
		return fmt.Errorf("write an object: %w", err)
	}
	return nil
}

// Open reads an object.
func (s *S3) Open(ctx context.Context, k Key) (io.ReadSeekCloser, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, s.bucket, path.Join(s.folder(k.Folder), k.Hash), minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("read an object: %w", err)
	}
	if _, err := object.Stat(); err != nil { // only now it is asked for
		_ = object.Close()
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
			return nil, ErrNotFound
		}
		return nil, fmt.Errorf("read an object: %w", err)
	}
	return object, nil
}

// DeleteFolder removes every object of a folder.
func (s *S3) DeleteFolder(ctx context.Context, f Folder) error {
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx) // ends the listing when deleting fails
	defer cancel()
	var failed []error
	for object := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.folder(f) + "/", Recursive: true}) {
		err := object.Err
		if err == nil {
			err = s.client.RemoveObject(ctx, s.bucket, object.Key, minio.RemoveObjectOptions{})
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("remove a folder: %w", err))
		}
	}
	return errors.Join(failed...)
}

// EachFolder lists the bucket, in which the objects of a folder stand together.
func (s *S3) EachFolder(ctx context.Context, fn func(f Folder, last time.Time) error) error {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when fn fails
	defer cancel()
	prefix := ""
	if s.prefix != "" {
		prefix = s.prefix + "/"
	}
	var at Folder
	var last time.Time
	for object := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return fmt.Errorf("list folders: %w", object.Err)
		}
		parts := strings.Split(strings.TrimPrefix(object.Key, prefix), "/")
		if len(parts) != 3 {
			continue // nothing of ours
		}
		next := Folder{Org: parts[0], ID: parts[1]}
		if next != at {
			if at != (Folder{}) {
				if err := fn(at, last); err != nil {
					return err
				}
			}
			at, last = next, time.Time{}
		}
		if object.LastModified.After(last) {
			last = object.LastModified
		}
	}
	if at == (Folder{}) {
		return ctx.Err()
	}
	return fn(at, last)
}

func (s *S3) folder(f Folder) string { return path.Join(s.prefix, f.Org, f.ID) }

package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	staging   = ".staging"     // where files are written until they are whole; no org has such an id
	abandoned = 24 * time.Hour // after which nobody still writes a file there
)

// Dir keeps blobs as files: ORG/FOLDER/HASH in a directory. A file is written under another name, synced, and renamed, so
// that whoever is killed leaves either all of it or nothing under its name. Several processes may share the directory.
type Dir struct{ root string }

var _ Store = (*Dir)(nil)

// NewDir makes the directory when it is not there, and clears away what writers that were killed have left.
func NewDir(root string) (*Dir, error) {
	d := &Dir{root: root}
	if err := os.MkdirAll(filepath.Join(root, staging), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of attachments: %w", err)
	}
	return d, d.clear(time.Now().Add(-abandoned))
}

// clear removes what is being written since before a time.
func (d *Dir) clear(before time.Time) error {
	list, err := os.ReadDir(filepath.Join(d.root, staging))
	if err != nil {
		return fmt.Errorf("look for abandoned files: %w", err)
	}
	for _, entry := range list {
		info, err := entry.Info()
		if err != nil || info.ModTime().After(before) {
			continue // another process has moved it, or is at it
		}
		if err := os.Remove(filepath.Join(d.root, staging, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an abandoned file: %w", err)
		}
	}
	return nil
}

// Put writes a file.
func (d *Dir) Put(ctx context.Context, k Key, r io.Reader, size int64) (err error) {
	if err := errors.Join(k.check(), ctx.Err()); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Join(d.root, staging), "*")
	if err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // a second time is no harm
			_ = os.Remove(file.Name())
		}
	}()
	n, err := io.Copy(file, r)
	switch {
	case err != nil:
		return fmt.Errorf("write a file: %w", err)
	case n != size:
		return fmt.Errorf("write a file: it has %d bytes, and %d were said: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync a file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	folder := d.folder(k.Folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := os.Rename(file.Name(), filepath.Join(folder, k.Hash)); err != nil {
		return fmt.Errorf("name a file: %w", err)
	}
	// The names are on disk once the directories that hold them are: also those that somebody else has just made.
	return errors.Join(syncDir(folder), syncDir(filepath.Dir(folder)), syncDir(d.root))
}

// Open opens a file.
func (d *Dir) Open(_ context.Context, k Key) (io.ReadSeekCloser, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(d.folder(k.Folder), k.Hash))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("open a file: %w", err)
	}
	return file, nil
}

// DeleteFolder removes a folder.
func (d *Dir) DeleteFolder(_ context.Context, f Folder) error {
	if err := f.check(); err != nil {
		return err
	}
	folder := d.folder(f)
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove a folder: %w", err)
	}
	return syncDir(filepath.Dir(folder))
}

// EachFolder walks through the directories.
func (d *Dir) EachFolder(ctx context.Context, fn func(f Folder, last time.Time) error) error {
	orgs, err := os.ReadDir(d.root)
	if err != nil {
		return fmt.Errorf("list folders: %w", err)
	}
	for _, org := range orgs {
		if !org.IsDir() || org.Name() == staging {
			continue
		}
		folders, err := os.ReadDir(filepath.Join(d.root, org.Name()))
		if err != nil {
			return fmt.Errorf("list folders: %w", err)
		}
		for _, folder := range folders {
			info, err := folder.Info()
			if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
				continue // deleted meanwhile, or nothing of ours
			}
			if err := errors.Join(err, ctx.Err()); err != nil {
				return fmt.Errorf("list folders: %w", err)
			}
			// A file that is put there changes its directory.
			if err := fn(Folder{Org: org.Name(), ID: folder.Name()}, info.ModTime()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dir) folder(f Folder) string { return filepath.Join(d.root, f.Org, f.ID) }

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	return nil
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner is the user that runs the server in our stead: PostgreSQL refuses to run as root.
type owner struct {
	name     string
	uid, gid uint32
}

// unprivilegedOwner is nil unless we are root.
func unprivilegedOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return &owner{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return nil, ErrDirectory.WithCause(errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")).
		WithHint("start as another user, or give a server with --postgres URL")
}

// attributes for a process of the server: its own group, so that a Ctrl-C in the terminal reaches us and not it.
func (o *owner) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if o != nil {
		attr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return attr
}

// take makes everything under dir belong to the owner. It works below an open directory, so that whoever may write
// there cannot lead root elsewhere by a link.
func (o *owner) take(dir string) error {
	if o == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(name, int(o.uid), int(o.gid))
	})
}

// has tells whether path belongs to whoever runs the server.
func (o *owner) has(info fs.FileInfo) bool {
	want := uint32(os.Geteuid()) //nolint:gosec // a user id is never negative here
	if o != nil {
		want = o.uid
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == want
}

// reach fails when the owner cannot get to path, and names the directory that stops it. It asks the kernel by
// starting a process there, because mode bits are not all that decides.
func (o *owner) reach(ctx context.Context, path string, p program) error {
	if o == nil {
		return nil
	}
	visit := func(dir string) error {
		cmd := exec.CommandContext(ctx, p.path("postgres"), "--version") //nolint:gosec // as in inspect
		cmd.Dir, cmd.SysProcAttr = dir, o.attributes()
		return cmd.Run()
	}
	err := visit(path)
	if err == nil {
		return nil
	}
	var blocked string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if visit(dir) != nil {
			blocked = dir // the outermost one wins
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	switch {
	case blocked == "/" || !errors.Is(err, fs.ErrPermission):
		return ErrDirectory.WithCause(fmt.Errorf("run %s as user %s: %w", p.path("postgres"), o.name, err)).
			WithHint("start Tidemark as another user than root, or give a server with --postgres URL")
	case blocked == "":
		blocked = path
	}
	return ErrDirectory.WithCause(fmt.Errorf("user %s, which runs PostgreSQL for root, cannot enter %s", o.name, blocked)).
		WithHint("chmod o+x %s, or put --data elsewhere (/var/lib/tidemark), or start as another user than root", blocked)
}

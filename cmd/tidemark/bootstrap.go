package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/setup"
)

// The org that an empty log gets. Its id is fixed, so that two processes that start at once make one org.
const (
	demoOrg     = "demo"
	demoSiteKey = "demo-site"
)

// bootstrap makes the demo org when the log has no org at all. It returns the secret of its admin key, which only the data
// directory knows; an empty one when there was nothing to make.
func (d *desk) bootstrap(ctx context.Context) (secret string, err error) {
	if err := d.directory.Wait(ctx); err != nil {
		return "", fmt.Errorf("read the configuration from the log: %w", err)
	}
	if len(d.directory.Orgs()) > 0 {
		return "", nil
	}
	return d.makeDemo(ctx, filepath.Join(d.Data, adminKeyFile))
}

// hasDemo tells whether the demo org and its site are there. The demo page is for them alone.
func (d *desk) hasDemo() bool {
	c, ok := d.directory.ChannelBySiteKey(demoSiteKey)
	return ok && c.OrgID == demoOrg && !c.Disabled
}

// makeDemo makes the org and leaves its key at path, unless another process is first.
func (d *desk) makeDemo(ctx context.Context, path string) (secret string, err error) {
	// The key is on disk before its hash is in the log: a crash in between leaves a key that the next start uses.
	if secret, err = adminKey(path); err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(secret))
	// A new id each time: the loser of a race must not take the winner's org for its own.
	meta := command.Meta{ID: "bootstrap:" + rand.Text(), Actor: events.Actor{Type: events.ActorSystem}}
	made, err := setup.Org(ctx, d.loop, meta, setup.Request{
		ID: demoOrg, Name: "Demo", AdminName: "Admin", AdminEmail: "admin@example.com", KeyHash: hash[:], SiteKey: demoSiteKey,
	})
	if errors.Is(err, refusal.ErrOrgExists) {
		return "", d.forgetKey(ctx, path, hash)
	}
	if err != nil {
		return "", fmt.Errorf("make the demo org: %w", err)
	}
	if err := d.directory.WaitFor(ctx, made.Position.Sequence); err != nil {
		return "", fmt.Errorf("read the configuration from the log: %w", err)
	}
	return secret, nil
}

// forgetKey removes a key that opens nothing, because the org was made by another process with a key of its own.
func (d *desk) forgetKey(ctx context.Context, path string, hash [sha256.Size]byte) error {
	if err := errors.Join(d.log.Sync(ctx), d.directory.WaitFor(ctx, d.log.Head())); err != nil {
		return fmt.Errorf("read the configuration from the log: %w", err)
	}
	if _, works := d.directory.Key(hash); works {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove an admin key that opens nothing: %w", err)
	}
	return nil
}

// adminKey reads the key file of an earlier start, or makes it.
func adminKey(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(raw))) > 0 {
		return strings.TrimSpace(string(raw)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the admin key: %w", err)
	}
	secret := "tdm_" + rand.Text() + rand.Text()
	if err := keepFile(path, secret+"\n"); err != nil {
		return "", fmt.Errorf("keep the admin key: %w", err)
	}
	return secret, nil
}

// keepFile writes a file of the owner's alone. After a power cut it is there whole, once this has returned, or not at all.
func keepFile(path, content string) (err error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

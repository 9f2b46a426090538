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

// bootstrap makes the demo org when the log has no org at all, with an admin key that only the data directory knows.
func (d *desk) bootstrap(ctx context.Context, p *printer) error {
	if err := d.directory.Wait(ctx); err != nil {
		return fmt.Errorf("read the configuration from the log: %w", err)
	}
	if len(d.directory.Orgs()) > 0 {
		return nil
	}
	// The key is on disk before its hash is in the log: a crash in between leaves a key that the next start uses.
	secret, err := adminKey(filepath.Join(d.Data, adminKeyFile))
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(secret))
	// A new id each time: the loser of a race must not take the winner's org for its own.
	meta := command.Meta{ID: "bootstrap:" + rand.Text(), Actor: events.Actor{Type: events.ActorSystem}}
	made, err := setup.Org(ctx, d.loop, meta, setup.Request{
		ID: demoOrg, Name: "Demo", AdminName: "Admin", AdminEmail: "admin@example.com", KeyHash: hash[:], SiteKey: demoSiteKey,
	})
	if errors.Is(err, refusal.ErrOrgExists) {
		return nil // another process was first; it has the key
	}
	if err != nil {
		return fmt.Errorf("make the demo org: %w", err)
	}
	if err := d.directory.WaitFor(ctx, made.Position.Sequence); err != nil {
		return fmt.Errorf("read the configuration from the log: %w", err)
	}
	p.say("Made the org %q with an admin key, printed only this once: %s", demoOrg, secret)
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
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the admin key: %w", err)
	}
	return secret, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// serveCommand runs targets.
type serveCommand struct {
	Server config `embed:""`
}

// Run serves until ctx ends, and then stops in order: it says so in /readyz and goes on serving for a moment, takes no
// new requests, ends those under way, the parts, the log.
func (c *serveCommand) Run(ctx context.Context, p *printer, s streams) (err error) {
	cfg := c.Server
	if err := cfg.Validate(); err != nil {
		return err
	}
	if err := makeDataDir(cfg.Data); err != nil {
		return err
	}
	logger := cfg.logger(s.err)
	d, err := openDesk(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, d.close(stopping))
	}()
	if err := d.wire(); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fault.Newf(fault.Unavailable, "address_in_use", "cannot listen on %s", cfg.Listen).
			WithHint("another process has it, or it is not an address of this machine: give another with --listen").WithCause(err)
	}
	address := "http://" + listener.Addr().String()
	server := &http.Server{Handler: d.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	if err := d.announce(ctx, address, p); err != nil {
		return errors.Join(err, server.Close())
	}
	defer func() { _ = os.Remove(filepath.Join(cfg.Data, serverURLFile)) }()

	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	logger.InfoContext(ctx, "stopping", "after", cfg.Delay)
	for _, drain := range d.drain {
		drain()
	}
	// A balancer must have seen it before the listener is closed, or what it sends here next is refused.
	noticed := time.NewTimer(cfg.Delay)
	defer noticed.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-noticed.C:
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Drain)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- server.Shutdown(stopping) }()
	// Streams end when their service does, so both are told at once; whoever still asks is answered meanwhile.
	if err := d.group.Stop(stopping); err != nil {
		logger.WarnContext(ctx, "some parts are slow to stop", "error", err)
	}
	if err := <-stopped; err != nil {
		logger.WarnContext(ctx, "requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}

// announced is what a program is told of a server that has started.
type announced struct {
	URL         string   `json:"url"`
	Targets     []string `json:"targets"`
	Data        string   `json:"data"`
	Incarnation string   `json:"incarnation"`
	Org         string   `json:"org,omitempty"`       // that was made at this start
	AdminKey    string   `json:"admin_key,omitempty"` // of that org, told only this once
}

// announce makes the first org on an empty log, leaves the address where other commands look, and says all that.
func (d *desk) announce(ctx context.Context, address string, p *printer) error {
	said := announced{URL: address, Targets: d.Targets, Data: d.Data, Incarnation: d.log.Incarnation()}
	if d.has("api") {
		secret, err := d.bootstrap(ctx)
		if err != nil {
			return err
		}
		if secret != "" {
			p.say("Made the org %q with an admin key, printed only this once: %s", demoOrg, secret)
			said.Org, said.AdminKey = demoOrg, secret
		}
	}
	path := filepath.Join(d.Data, serverURLFile)
	if err := os.WriteFile(path, []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if p.json {
		return p.object(said)
	}
	p.say("Tidemark serves %v on %s (data in %s)", d.Targets, address, d.Data)
	if d.has("api") {
		p.say("Open %s/docs for the API%s", address, whereKey(filepath.Join(d.Data, adminKeyFile)))
	}
	return nil
}

// whereKey says where the admin key is, if it is there: the process that made the org has it, and others do not.
func whereKey(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return "; the admin key is in " + path
}

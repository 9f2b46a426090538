package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemark-desk/tidemark/services/chat/widget"
)

// widgetCommand prints what a site's page needs.
type widgetCommand struct {
	Site string `help:"Site key of the chat channel." default:"demo-site" placeholder:"KEY"`
	URL  string `help:"Where browsers reach the server; by default the one in --data." env:"TIDEMARK_URL" placeholder:"URL"`
	Data string `help:"Data directory of a server on this machine: its address is found there." default:"./data" env:"TIDEMARK_DATA_DIR" placeholder:"DIR"`
}

// widgetTold is what a program is told of the widget in this binary.
type widgetTold struct {
	Version   string `json:"version"`
	Integrity string `json:"integrity"`
	Path      string `json:"path"`
	Versioned string `json:"versioned_path"`
	Tag       string `json:"tag"`
	PinnedTag string `json:"pinned_tag"`
}

// Run prints the element, newest and pinned.
func (c *widgetCommand) Run(p *printer) error {
	url := strings.TrimRight(c.URL, "/")
	if url == "" {
		raw, err := os.ReadFile(filepath.Join(c.Data, serverURLFile))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		url = strings.TrimSpace(string(raw)) // empty: relative to the page
	}
	told := widgetTold{
		Version: widget.Version(), Integrity: widget.Integrity(), Path: widget.Path, Versioned: widget.VersionedPath(),
		Tag: widget.Tag(url, c.Site, false), PinnedTag: widget.Tag(url, c.Site, true),
	}
	if p.json {
		return p.object(told)
	}
	p.say("Version %s, integrity %s", told.Version, told.Integrity)
	p.say("\nAlways the newest:\n\n%s", told.Tag)
	p.say("\nOnly this version, which the browser checks. Change it when the server is upgraded:\n\n%s", told.PinnedTag)
	return nil
}

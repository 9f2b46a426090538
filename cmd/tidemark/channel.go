package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// channelCommand is about the ways by which customers reach the desk.
type channelCommand struct {
	List    channelList    `cmd:"" default:"withargs" help:"List channels."`
	Show    channelShow    `cmd:"" help:"Show one channel, and how it is set."`
	Create  channelCreate  `cmd:"" help:"Set a channel up; a chat channel gets a site key."`
	Set     channelSet     `cmd:"" help:"Change a channel; what is not given stays."`
	Disable channelDisable `cmd:"" help:"Stop a channel: it takes no new messages."`
	Enable  channelEnable  `cmd:"" help:"Start a channel again."`

	RevokeSessions channelRevokeSessions `cmd:"" help:"End all sessions of a chat channel: whoever is there has to begin anew."`
}

// channelRow is one channel of the API.
type channelRow struct {
	ID               string         `json:"id"`
	Type             string         `json:"type"`
	Name             string         `json:"name"`
	SiteKey          string         `json:"site_key,omitempty"`
	Origins          []string       `json:"origins"`
	Disabled         bool           `json:"disabled"`
	IdentityVersion  int            `json:"identity_version"`
	IdentityRequired bool           `json:"identity_required"`
	Survey           *channelSurvey `json:"survey"`
	channelSettings
}

// channelSurvey is whether its visitors are asked how it went.
type channelSurvey struct {
	Enabled           bool   `json:"enabled"`
	Question          string `json:"question"`
	ExpiresAfterHours int    `json:"expires_after_hours"`
}

func (c channelRow) state() string {
	if c.Disabled {
		return "disabled"
	}
	return "enabled"
}

func (c channelRow) origins() string {
	if len(c.Origins) == 0 {
		return "any"
	}
	return strings.Join(c.Origins, " ")
}

// identity tells whether sites prove who their visitors are.
func (c channelRow) identity() string {
	switch {
	case c.IdentityRequired:
		return "required"
	case c.IdentityVersion > 0:
		return "proven or anonymous"
	}
	return "anonymous"
}

func (c channelRow) survey() string {
	if c.Survey == nil || !c.Survey.Enabled {
		return "off"
	}
	return fmt.Sprintf("on, for %d h", c.Survey.ExpiresAfterHours)
}

type channelList struct {
	Client clientFlags `embed:""`
}

// Run lists.
func (c *channelList) Run(ctx context.Context, p *printer) error {
	return list(ctx, p, c.Client, "/v1/channels", []string{"ID", "TYPE", "NAME", "STATE", "SITE KEY", "ORIGINS"}, func(c channelRow) []string {
		return []string{c.ID, c.Type, c.Name, c.state(), c.SiteKey, c.origins()}
	})
}

type channelRef struct {
	Client clientFlags `embed:""`
	ID     string      `arg:"" help:"Of the channel, as in the list."`
}

func (r channelRef) path() string { return "/v1/channels/" + url.PathEscape(r.ID) }

type channelShow struct{ channelRef }

// Run shows.
func (c *channelShow) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var row channelRow
	if err := server.do(ctx, http.MethodGet, c.path(), nil, &row); err != nil {
		return err
	}
	if p.json {
		return p.object(row)
	}
	rows := [][]string{{"id", row.ID}, {"type", row.Type}, {"name", row.Name}, {"state", row.state()}}
	if row.SiteKey != "" {
		rows = append(rows, []string{"site key", row.SiteKey}, []string{"origins", row.origins()},
			[]string{"identity", row.identity()}, []string{"survey", row.survey()})
	}
	return p.table([]string{"FIELD", "VALUE"}, append(rows, row.rows()...))
}

type channelCreate struct {
	Client  clientFlags `embed:""`
	Type    string      `arg:"" help:"chat, email, sms, x or facebook." enum:"chat,email,sms,x,facebook"`
	Name    string      `arg:"" help:"Of the channel."`
	Origins []string    `name:"origin" help:"Web origin that may open chat sessions; none: any."`
}

// Run sets a channel up.
func (c *channelCreate) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var made struct {
		ID       string `json:"id"`
		SiteKey  string `json:"site_key,omitempty"`
		Position string `json:"position"`
	}
	body := map[string]any{"type": c.Type, "name": c.Name}
	if len(c.Origins) > 0 {
		body["origins"] = c.Origins
	}
	if err := server.do(ctx, http.MethodPost, "/v1/channels", body, &made); err != nil {
		return err
	}
	if p.json {
		return p.object(made)
	}
	p.say("Set up channel %s.", made.ID)
	if made.SiteKey != "" {
		p.say("Its site key: %s", made.SiteKey)
	}
	return nil
}

type channelDisable struct {
	channelRef
	Reason string `help:"Why."`
}

// Run stops it.
func (c *channelDisable) Run(ctx context.Context, p *printer) error {
	return write(ctx, p, c.Client, http.MethodPut, c.path()+"/enabled", map[string]any{"enabled": false, "reason": c.Reason}, "Disabled.")
}

type channelEnable struct {
	channelRef
	Reason string `help:"Why."`
}

// Run starts it again.
func (c *channelEnable) Run(ctx context.Context, p *printer) error {
	return write(ctx, p, c.Client, http.MethodPut, c.path()+"/enabled", map[string]any{"enabled": true, "reason": c.Reason}, "Enabled.")
}

type channelRevokeSessions struct {
	channelRef
	Reason string `help:"Why."`
}

// Run ends the sessions.
func (c *channelRevokeSessions) Run(ctx context.Context, p *printer) error {
	path := c.path() + "/sessions"
	if c.Reason != "" {
		path += "?reason=" + url.QueryEscape(c.Reason)
	}
	return write(ctx, p, c.Client, http.MethodDelete, path, nil, "Ended.")
}

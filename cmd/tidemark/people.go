package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// orgCommand is about orgs.
type orgCommand struct {
	Show   orgShow   `cmd:"" default:"withargs" help:"Show the org of the key."`
	Set    orgSet    `cmd:"" help:"Change the org of the key."`
	Create orgCreate `cmd:"" help:"Make another org, with its first admin; prints the admin's key once."`
}

type orgShow struct {
	Client clientFlags `embed:""`
}

// Run shows.
func (c *orgShow) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var o struct {
		ID           string `json:"id"`
		Name         string `json:"name"`
		Timezone     string `json:"timezone"`
		DefaultQueue string `json:"default_queue_id"`
	}
	if err := server.do(ctx, http.MethodGet, "/v1/org", nil, &o); err != nil {
		return err
	}
	if p.json {
		return p.object(o)
	}
	return p.table([]string{"ID", "NAME", "TIME ZONE", "DEFAULT QUEUE"}, [][]string{{o.ID, o.Name, o.Timezone, o.DefaultQueue}})
}

type orgSet struct {
	Client       clientFlags `embed:""`
	Name         *string     `help:"Its name."`
	Timezone     *string     `help:"As in the IANA database: Europe/Berlin."`
	DefaultQueue *string     `help:"Id of the queue for conversations that nothing else places."`
}

// Run changes what was given.
func (c *orgSet) Run(ctx context.Context, p *printer) error {
	body := map[string]string{}
	for name, value := range map[string]*string{"name": c.Name, "timezone": c.Timezone, "default_queue_id": c.DefaultQueue} {
		if value != nil {
			body[name] = *value
		}
	}
	return write(ctx, p, c.Client, http.MethodPatch, "/v1/org", body, "Changed.")
}

type orgCreate struct {
	Client     clientFlags `embed:""`
	ID         string      `arg:"" help:"Of the org: letters, digits, - and _."`
	Name       string      `help:"Its name." required:""`
	AdminName  string      `help:"Name of its first admin." default:"Admin"`
	AdminEmail string      `help:"Address of its first admin." required:""`
}

// Run makes an org.
func (c *orgCreate) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var made map[string]string
	body := map[string]string{"id": c.ID, "name": c.Name, "admin_name": c.AdminName, "admin_email": c.AdminEmail}
	if err := server.do(ctx, http.MethodPost, "/v1/admin/orgs", body, &made); err != nil {
		return err
	}
	if p.json {
		return p.object(made)
	}
	p.say("Made the org %s. Key of its admin, shown only this once: %s", made["id"], made["secret"])
	return nil
}

// agentCommand is about the people who work at the desk.
type agentCommand struct {
	List     agentList     `cmd:"" default:"withargs" help:"List agents."`
	Create   agentCreate   `cmd:"" help:"Add an agent."`
	Presence agentPresence `cmd:"" help:"Set an agent online, away or offline."`
}

// agentRow is one item of GET /v1/agents.
type agentRow struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Email       string   `json:"email"`
	Role        string   `json:"role"`
	Presence    string   `json:"presence"`
	Connected   bool     `json:"connected"`
	Capacity    int      `json:"capacity"`
	Skills      []string `json:"skills"`
	Deactivated bool     `json:"deactivated"`
}

type agentList struct {
	Client clientFlags `embed:""`
}

// Run lists.
func (c *agentList) Run(ctx context.Context, p *printer) error {
	return list(ctx, p, c.Client, "/v1/agents", []string{"ID", "NAME", "EMAIL", "ROLE", "PRESENCE", "CAPACITY"}, func(a agentRow) []string {
		if a.Deactivated {
			a.Presence = "deactivated"
		}
		return []string{a.ID, a.Name, a.Email, a.Role, a.Presence, strconv.Itoa(a.Capacity)}
	})
}

type agentCreate struct {
	Client   clientFlags `embed:""`
	Name     string      `arg:"" help:"Of the agent."`
	Email    string      `arg:"" help:"Of the agent."`
	Role     string      `help:"admin or agent." enum:"admin,agent" default:"agent"`
	Capacity int         `help:"Open conversations that the agent may hold at once." default:"5"`
	Queues   []string    `name:"queue" help:"Ids of the queues that the agent takes work from."`
}

// Run adds an agent, and makes them a member of the queues.
func (c *agentCreate) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var made struct {
		ID       string `json:"id"`
		Position string `json:"position"`
	}
	body := map[string]any{"name": c.Name, "email": c.Email, "role": c.Role, "capacity": c.Capacity}
	if err := server.do(ctx, http.MethodPost, "/v1/agents", body, &made); err != nil {
		return err
	}
	for _, queue := range c.Queues {
		if err := server.do(ctx, http.MethodPut, "/v1/queues/"+url.PathEscape(queue)+"/members/"+made.ID, nil, nil); err != nil {
			return err
		}
	}
	if p.json {
		return p.object(made)
	}
	p.say("Added agent %s. Give them a key with: tidemark key issue %s", made.ID, made.ID)
	return nil
}

type agentPresence struct {
	Client   clientFlags `embed:""`
	ID       string      `arg:"" help:"Of the agent; me is the agent of the key."`
	Presence string      `arg:"" help:"online, away or offline." enum:"online,away,offline"`
}

// Run sets the presence.
func (c *agentPresence) Run(ctx context.Context, p *printer) error {
	return write(ctx, p, c.Client, http.MethodPut, "/v1/agents/"+url.PathEscape(c.ID)+"/presence", map[string]string{"presence": c.Presence}, "Set.")
}

// keyCommand is about API keys.
type keyCommand struct {
	List   keyList   `cmd:"" default:"withargs" help:"List the keys that work."`
	Issue  keyIssue  `cmd:"" help:"Issue a key; it is printed only once."`
	Revoke keyRevoke `cmd:"" help:"Revoke a key, for ever."`
}

type keyRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	AgentID string `json:"agent_id"`
	Role    string `json:"role"`
}

type keyList struct {
	Client clientFlags `embed:""`
}

// Run lists.
func (c *keyList) Run(ctx context.Context, p *printer) error {
	return list(ctx, p, c.Client, "/v1/keys", []string{"ID", "NAME", "AGENT", "ROLE"}, func(k keyRow) []string {
		return []string{k.ID, k.Name, k.AgentID, k.Role}
	})
}

type keyIssue struct {
	Client clientFlags `embed:""`
	Agent  string      `arg:"" help:"Id of the agent who acts when the key is used; me is the agent of this key."`
	Name   string      `help:"What the key is for." default:"Issued from the command line"`
	Role   string      `help:"admin or agent." enum:"admin,agent" default:"agent"`
}

// Run issues a key.
func (c *keyIssue) Run(ctx context.Context, p *printer) error {
	server, err := c.Client.connect()
	if err != nil {
		return err
	}
	var made struct {
		ID       string `json:"id"`
		Secret   string `json:"secret"`
		Position string `json:"position"`
	}
	if err := server.do(ctx, http.MethodPost, "/v1/keys", map[string]string{"agent_id": c.Agent, "name": c.Name, "role": c.Role}, &made); err != nil {
		return err
	}
	if p.json {
		return p.object(made)
	}
	p.say("Issued key %s, shown only this once: %s", made.ID, made.Secret)
	return nil
}

type keyRevoke struct {
	Client clientFlags `embed:""`
	ID     string      `arg:"" help:"Of the key."`
}

// Run revokes.
func (c *keyRevoke) Run(ctx context.Context, p *printer) error {
	return write(ctx, p, c.Client, http.MethodDelete, "/v1/keys/"+url.PathEscape(c.ID), nil, "Revoked.")
}

// list prints every item of a list.
func list[T any](ctx context.Context, p *printer, flags clientFlags, path string, header []string, row func(T) []string) error {
	server, err := flags.connect()
	if err != nil {
		return err
	}
	var rows [][]string
	err = each(ctx, server, path, func(item T) error {
		if p.json {
			return p.object(item)
		}
		rows = append(rows, row(item))
		return nil
	})
	if err != nil || p.json {
		return err
	}
	return p.table(header, rows)
}

// write sends a change and says that it was made.
func write(ctx context.Context, p *printer, flags clientFlags, method, path string, body any, done string) error {
	server, err := flags.connect()
	if err != nil {
		return err
	}
	var answer map[string]any
	if err := server.do(ctx, method, path, body, &answer); err != nil {
		return err
	}
	if p.json {
		return p.object(answer)
	}
	p.say("%s", done)
	return nil
}

// commandPath is the words of the command that runs.
type commandPath string

// last is the word that names what to do.
func (c commandPath) last() string {
	words := strings.Fields(string(c))
	for _, word := range slices.Backward(words) {
		if !strings.HasPrefix(word, "<") {
			return word
		}
	}
	return ""
}

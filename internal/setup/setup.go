// Package setup makes an org that can be worked with at once: the org, its first admin with a key, a queue that takes
// what nothing else places, and a chat channel, all in one atomic batch of the log.
//
// The first start on an empty log uses it, and whoever adds orgs later. It must not know how keys are made or kept:
// it gets a hash.
package setup

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/settings"
)

// adminCapacity is how many open conversations the first admin may hold until that is changed.
const adminCapacity = 20

// The ids of what a new org has; they are unique within it.
const (
	AdminID   = "admin"
	KeyID     = "admin"
	QueueID   = "support"
	ChannelID = "site"
)

// Request says what the org is to be.
type Request struct {
	ID         string // of the org
	Name       string
	AdminName  string
	AdminEmail string
	KeyHash    []byte // SHA-256 of the first admin's key
	SiteKey    string // by which a chat widget finds the org's channel
}

// Org makes the org. An org that is there already is refused, unless it is this very command that made it.
func Org(ctx context.Context, loop *command.Loop, m command.Meta, r Request) (command.Result, error) {
	orgs, agents, keys := aggregates.Orgs(loop), aggregates.Agents(loop), aggregates.Keys(loop)
	queues, channels, config := aggregates.Queues(loop), aggregates.Channels(loop), aggregates.Settings(loop)

	secret := make([]byte, org.SecretSize)
	_, _ = rand.Read(secret) // never fails
	return loop.Atomic(ctx, m, func(tx *command.Tx) error {
		_, exists, err := command.Peek(tx, orgs, r.ID, r.ID)
		if err != nil {
			return err
		}
		if exists {
			return refusal.ErrOrgExists
		}
		return errors.Join(
			command.Stage[org.State, org.Command](tx, orgs, r.ID, r.ID, org.Create{Name: r.Name, Secret: secret}),
			command.Stage[agent.State, agent.Command](tx, agents, r.ID, AdminID, agent.Create{Name: r.AdminName, Email: r.AdminEmail, Role: events.RoleAdmin, Capacity: adminCapacity}),
			command.Stage[key.State, key.Command](tx, keys, r.ID, KeyID, key.Issue{AgentID: AdminID, Name: "First admin key", Role: events.RoleAdmin, Hash: r.KeyHash}),
			command.Stage[queue.State, queue.Command](tx, queues, r.ID, QueueID, queue.Create{Name: "Support"}),
			command.Stage[queue.State, queue.Command](tx, queues, r.ID, QueueID, queue.AddMember{AgentID: AdminID}),
			command.Stage[channel.State, channel.Command](tx, channels, r.ID, ChannelID, channel.Create{Type: events.ChannelChat, Name: "Site", SiteKey: r.SiteKey}),
			command.Stage[settings.State, settings.Command](tx, config, r.ID, settings.ID, settings.SetDefaultQueue{QueueID: QueueID}),
		)
	})
}

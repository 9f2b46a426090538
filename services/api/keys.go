package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
)

// Key is an API key without its secret, of which only a hash is kept.
type Key struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	AgentID string      `json:"agent_id"`
	Role    events.Role `json:"role" enum:"admin,agent" doc:"What it may do: the lesser of its own role and its agent's."`
}

// Issued answers a new key.
type Issued struct {
	ID       string `json:"id"`
	Secret   string `json:"secret,omitempty" doc:"The key itself. It is shown this once; a repeated request answers without it."`
	Position string `json:"position"`
}

func (s *Service) registerKeys() {
	const tag = "Keys"
	add(s, operation{
		id: "list-keys", method: http.MethodGet, path: "/v1/keys", tag: tag, admin: true, summary: "List the keys that work",
	}, s.listKeys)
	add(s, operation{
		id: "issue-key", method: http.MethodPost, path: "/v1/keys", tag: tag, status: http.StatusCreated, admin: true,
		summary: "Issue a key", codes: []string{"text_invalid", "role_invalid"},
	}, s.issueKey)
	add(s, operation{
		id: "revoke-key", method: http.MethodDelete, path: "/v1/keys/{id}", tag: tag, admin: true,
		summary: "Revoke a key, for ever", codes: []string{"key_not_found"},
	}, s.revokeKey)
}

func (s *Service) listKeys(ctx context.Context, _ *struct{}) (*Answer[List[Key]], error) {
	return &Answer[List[Key]]{List[Key]{Items: each(s.Directory.Keys(callerOf(ctx).OrgID), keyOf)}}, nil
}

// IssueKey is the input of a new key.
type IssueKey struct {
	Writing
	Body struct {
		Name    string      `json:"name" minLength:"1" maxLength:"200"`
		AgentID string      `json:"agent_id" minLength:"1" maxLength:"64" doc:"Who acts when the key is used; me is the caller."`
		Role    events.Role `json:"role,omitempty" enum:"admin,agent" default:"agent"`
	}
}

// issueKey makes the secret here and tells it once: the log gets its hash alone. A retry meets the key that is there
// already, and its own secret is worth nothing.
func (s *Service) issueKey(ctx context.Context, in *IssueKey) (*Written[Issued], error) {
	c := callerOf(ctx)
	agentID := c.agent(in.Body.AgentID)
	m := in.meta(ctx, in.Body)
	id := command.DeriveID("key", c.OrgID, m.ID)
	secret := keyPrefix + rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(secret))
	issue := key.Issue{AgentID: agentID, Name: in.Body.Name, Role: in.Body.Role, Hash: hash[:]}
	r, err := handleUnless(ctx, s.needAgent(c.OrgID, "body.agent_id", agentID), s.keys, c.OrgID, id, m, key.Command(issue))
	if err != nil {
		return nil, err
	}
	s.seen(ctx, r.Position)
	out := Issued{ID: id, Secret: secret, Position: r.Position.String()}
	if r.Replayed {
		out.Secret = ""
	}
	return written(out.Position, out), nil
}

// RevokeKey names a key.
type RevokeKey struct {
	ByID
	Writing
}

func (s *Service) revokeKey(ctx context.Context, in *RevokeKey) (*Written[Done], error) {
	r, err := s.keys.Handle(ctx, callerOf(ctx).OrgID, in.ID, in.meta(ctx, nil), key.Revoke{})
	return s.configured(ctx, in.ID, r, err)
}

func keyOf(k directory.Key) Key { return Key{ID: k.ID, Name: k.Name, AgentID: k.AgentID, Role: k.Role} }

package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/settings"
	"github.com/tidemark-desk/tidemark/internal/setup"
)

// Org is the caller's own org.
type Org struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Timezone       string `json:"timezone" doc:"As in the IANA database."`
	DefaultQueueID string `json:"default_queue_id" doc:"Where conversations go that nothing else places; empty: nowhere."`
}

func (s *Service) registerOrgs() {
	const tag = "Orgs"
	add(s, operation{id: "get-org", method: http.MethodGet, path: "/v1/org", tag: tag, summary: "Get your org", codes: []string{"org_not_found"}}, s.getOrg)
	add(s, operation{
		id: "change-org", method: http.MethodPatch, path: "/v1/org", tag: tag, admin: true, summary: "Change your org",
		codes: []string{"org_not_found", "text_invalid", "timezone_invalid"},
	}, s.changeOrg)
	add(s, operation{
		id: "create-org", method: http.MethodPost, path: "/v1/admin/orgs", tag: tag, admin: true, status: http.StatusCreated,
		summary: "Make another org", doc: "With its first admin, a queue and a chat channel. Only admins of the operator's org may.",
		codes: []string{"org_exists", "text_invalid", "identity_invalid"},
	}, s.createOrg)
}

func (s *Service) getOrg(ctx context.Context, _ *struct{}) (*Answer[Org], error) {
	id := callerOf(ctx).OrgID
	o, ok := s.Directory.Org(id)
	if !ok {
		return nil, refusal.ErrOrgNotFound
	}
	config := s.Directory.Settings(id)
	return &Answer[Org]{Org{ID: o.ID, Name: o.Name, Timezone: config.Timezone, DefaultQueueID: config.DefaultQueueID}}, nil
}

// ChangeOrg is the input of a change; what is absent stays.
type ChangeOrg struct {
	Writing
	Body struct {
		Name           *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Timezone       *string `json:"timezone,omitempty" maxLength:"64" example:"Europe/Berlin"`
		DefaultQueueID *string `json:"default_queue_id,omitempty" maxLength:"64"`
	}
}

func (s *Service) changeOrg(ctx context.Context, in *ChangeOrg) (*Written[Done], error) {
	id := callerOf(ctx).OrgID
	if zone := in.Body.Timezone; zone != nil {
		if _, err := time.LoadLocation(*zone); err != nil || *zone == "Local" {
			return nil, wrong("body.timezone", "is not in the IANA database")
		}
	}
	r, err := s.Loop.Atomic(ctx, in.meta(ctx, in.Body), func(tx *command.Tx) error {
		if in.Body.Name != nil {
			if err := command.Stage[org.State, org.Command](tx, s.orgs, id, id, org.Rename{Name: *in.Body.Name}); err != nil {
				return err
			}
		}
		if in.Body.Timezone != nil {
			if err := command.Stage[settings.State, settings.Command](tx, s.settings, id, settings.ID, settings.SetTimezone{Timezone: *in.Body.Timezone}); err != nil {
				return err
			}
		}
		if in.Body.DefaultQueueID != nil {
			if err := s.stageDefaultQueue(tx, id, *in.Body.DefaultQueueID); err != nil {
				return err
			}
		}
		_, _, err := command.Peek(tx, s.orgs, id, id) // a change of nothing still has a position
		return err
	})
	return s.configured(ctx, id, r, err)
}

// stageDefaultQueue looks at the queue once it is known that the change has not been made already.
func (s *Service) stageDefaultQueue(tx *command.Tx, org, id string) error {
	if _, _, err := command.Peek(tx, s.settings, org, settings.ID); err != nil {
		return err
	}
	if q, ok := s.Directory.Queue(org, id); id != "" && (!ok || q.Archived) {
		return wrong("body.default_queue_id", "is not an open queue of the org")
	}
	return command.Stage[settings.State, settings.Command](tx, s.settings, org, settings.ID, settings.SetDefaultQueue{QueueID: id})
}

// CreateOrg is the input of another org.
type CreateOrg struct {
	Writing
	Body struct {
		ID         string `json:"id" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
		Name       string `json:"name" minLength:"1" maxLength:"200"`
		AdminName  string `json:"admin_name" minLength:"1" maxLength:"200"`
		AdminEmail string `json:"admin_email" minLength:"3" maxLength:"254"`
	}
}

// OrgCreated answers a new org.
type OrgCreated struct {
	ID       string `json:"id"`
	Secret   string `json:"secret,omitempty" doc:"Key of its first admin. It is shown this once; a repeated request answers without it."`
	SiteKey  string `json:"site_key" doc:"By which a chat widget finds its channel."`
	Position string `json:"position"`
}

func (s *Service) createOrg(ctx context.Context, in *CreateOrg) (*Written[OrgCreated], error) {
	if err := s.onlyOperator(ctx); err != nil {
		return nil, err
	}
	secret := keyPrefix + rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(secret))
	out := OrgCreated{ID: in.Body.ID, Secret: secret, SiteKey: in.Body.ID + "-site"}
	r, err := setup.Org(ctx, s.Loop, in.meta(ctx, in.Body), setup.Request{
		ID: in.Body.ID, Name: in.Body.Name, AdminName: in.Body.AdminName, AdminEmail: in.Body.AdminEmail,
		KeyHash: hash[:], SiteKey: out.SiteKey,
	})
	if err != nil {
		return nil, err
	}
	s.seen(ctx, r.Position)
	if r.Replayed {
		out.Secret = ""
	}
	out.Position = r.Position.String()
	return written(out.Position, out), nil
}

// onlyOperator refuses what concerns every org to the admins of one.
func (s *Service) onlyOperator(ctx context.Context) error {
	if s.OperatorOrg == "" || callerOf(ctx).OrgID != s.OperatorOrg {
		return errForbidden.WithHint("only admins of the operator's org may do this")
	}
	return nil
}

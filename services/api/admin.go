package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// Admin is what operators ask of the projections, wherever they run. Rebuilds go on in the background: each step is
// asked for, and the list tells what came of it.
type Admin interface {
	Rebuilds(ctx context.Context) ([]projections.Rebuild, error)
	Rebuild(ctx context.Context, name string) error
	Ask(ctx context.Context, name, what string) error
	// Parked lists the keys of a projection that wait; an empty name means all but the search index, which may be away
	// when the others are not.
	Parked(ctx context.Context, name string) ([]projections.Parked, error)
	// RetryParked and DropParked refuse when the key is parked at another event than the one with this sequence.
	RetryParked(ctx context.Context, name, key string, sequence uint64) error
	DropParked(ctx context.Context, name, key string, sequence uint64) error
}

// Projection is how a projection is doing.
type Projection struct {
	Name    string   `json:"name"`
	AsOf    *AsOf    `json:"as_of" doc:"null when it cannot be asked."`
	Reason  string   `json:"reason,omitempty" doc:"Why it cannot be asked."`
	Rebuild *Rebuild `json:"rebuild" doc:"The newest rebuild; null when there never was one."`
}

// Rebuild is a read model that is built anew beside the running one.
type Rebuild struct {
	State      projections.RebuildState `json:"state" enum:"requested,building,ready,compared,switched,dropped,cancelled,failed"`
	Asked      string                   `json:"asked,omitempty" doc:"What it was asked and has not done yet."`
	Detail     string                   `json:"detail,omitempty" doc:"Why it failed, or how the two differ."`
	Equal      *bool                    `json:"equal" doc:"Of the last comparison."`
	Done       uint64                   `json:"done" doc:"Events that were read, of total."`
	Total      uint64                   `json:"total"`
	Rate       float64                  `json:"rate" doc:"Events a second."`
	ETASeconds float64                  `json:"eta_seconds" doc:"Until it is ready; 0 when that is not known."`
	StartedAt  time.Time                `json:"started_at"`
	UpdatedAt  time.Time                `json:"updated_at"`
}

// Lag is how far one projection is behind.
type Lag struct {
	Name          string   `json:"name"`
	*AsOf                  // absent when the projection cannot be asked
	FinishSeconds *float64 `json:"finish_seconds,omitempty" doc:"Time until it is current, where that is known."`
	Reason        string   `json:"reason,omitempty" doc:"Why it cannot be asked, or why it is not well. Without lag it cannot be asked."`
}

// TransformSchema says that a projection that cannot be asked has nothing but a reason.
func (Lag) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Required = []string{"name"}
	return s
}

var errProjection = fault.New(fault.NotFound, "not_found", "there is no such projection").
	WithHint("GET /v1/admin/projections lists them")

// errNotRebuilt stands for the search index, whose rebuilds are asked for elsewhere.
var errNotRebuilt = fault.New(fault.Invalid, "rebuild_unsupported", "this projection cannot be rebuilt beside the running one").
	WithHint("POST /v1/admin/rebuilds, or 'tidemark search rebuild', builds the search index anew")

// errNoAdmin stands for an api process that was started without a database.
var errNoAdmin = fault.New(fault.Unavailable, "admin_unavailable", "this process cannot reach the projections").
	WithHint("start it with a database")

// ProjectionName names a projection.
type ProjectionName struct {
	Name string `path:"name" maxLength:"64" pattern:"^[a-z_]+$"`
}

func (s *Service) registerProjections() {
	const tag = "Admin"
	codes := []string{"not_found", "admin_unavailable", "read_models_unavailable", "no_rebuild", "rebuild_running", "rebuild_state", "rebuild_unsupported"}
	add(s, operation{
		id: "list-projections", method: http.MethodGet, path: "/v1/admin/projections", tag: tag, admin: true,
		summary: "List projections, with their rebuilds", codes: codes,
	}, s.listProjections)
	add(s, operation{
		id: "lag", method: http.MethodGet, path: "/v1/admin/lag", tag: tag, admin: true,
		summary: "How far every projection is behind", codes: codes,
	}, s.lag)
	for _, step := range []struct{ name, summary, doc string }{
		{"rebuild", "Rebuild a projection beside the running one", "It goes on in the background, in a process that runs the projection's target, until it is as fresh as the running one."},
		{projections.AskCompare, "Compare the rebuilt projection with the running one", "The answer comes with the list of projections."},
		{projections.AskSwitch, "Put the rebuilt projection in the place of the running one", "The old one is kept until it is dropped. Of routing, workflow and survey nothing is done twice by it."},
		{projections.AskDropOld, "Drop the projection that was replaced", ""},
		{projections.AskCancel, "Give a rebuild up", ""},
	} {
		add(s, operation{
			id: step.name + "-projection", method: http.MethodPost, path: "/v1/admin/projections/{name}/" + step.name, tag: tag,
			admin: true, status: http.StatusAccepted, summary: step.summary, doc: step.doc, codes: codes,
		}, s.step(step.name))
	}
}

func (s *Service) listProjections(ctx context.Context, _ *struct{}) (*Answer[List[Projection]], error) {
	admin, err := s.operator()
	if err != nil {
		return nil, err
	}
	rebuilds, err := admin.Rebuilds(ctx)
	if err != nil {
		return nil, err
	}
	out := List[Projection]{Items: []Projection{}}
	for _, name := range s.Models {
		a, err := s.Reads.Freshness.AsOf(ctx, name)
		if err != nil {
			return nil, err
		}
		p := Projection{Name: name, AsOf: asOf(a)}
		for _, r := range rebuilds {
			if r.Projection == name {
				p.Rebuild = &Rebuild{
					State: r.State, Asked: r.Asked, Detail: r.Detail, Equal: r.Equal, Done: r.Done, Total: r.Total,
					Rate: r.Rate, ETASeconds: r.ETA.Seconds(), StartedAt: r.StartedAt, UpdatedAt: r.UpdatedAt,
				}
			}
		}
		out.Items = append(out.Items, p)
	}
	index, _, why := s.index(ctx)
	out.Items = append(out.Items, Projection{Name: searchIndex, AsOf: index, Reason: why})
	return &Answer[List[Projection]]{out}, nil
}

// index tells how fresh the search index is, and when it will be current, or why that is not known: it being away hides no
// other projection.
func (s *Service) index(ctx context.Context) (at *AsOf, finish *float64, why string) {
	status, err := s.Reads.Search.Status(ctx)
	switch {
	case err != nil:
		return nil, nil, reason(err)
	case status.AsOf.Position.IsZero():
		return nil, nil, status.State // why is in the log of the search indexer
	case !status.Healthy && status.State != "running":
		why = status.State
	case !status.Healthy:
		why = "the index cannot be written or read now" // the same
	}
	return asOf(status.AsOf), status.FinishSeconds, why
}

// reason is what the caller may know of an error.
func reason(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Message
	}
	return "its answer cannot be read"
}

func (s *Service) lag(ctx context.Context, _ *struct{}) (*Answer[List[Lag]], error) {
	out := List[Lag]{Items: []Lag{}}
	for _, name := range s.Models {
		switch a, err := s.Reads.Freshness.AsOf(ctx, name); {
		case err == nil:
			out.Items = append(out.Items, Lag{Name: name, AsOf: asOf(a)})
		case fault.KindOf(err) == fault.Unavailable: // which hides nothing of the others
			out.Items = append(out.Items, Lag{Name: name, Reason: reason(err)})
		default:
			return nil, err
		}
	}
	index, finish, why := s.index(ctx)
	out.Items = append(out.Items, Lag{Name: searchIndex, AsOf: index, FinishSeconds: finish, Reason: why})
	return &Answer[List[Lag]]{out}, nil
}

// StepInput names the projection of a step. The steps are idempotent by themselves.
type StepInput struct{ ProjectionName }

// Accepted answers a step that goes on in the background.
type Accepted struct {
	Body struct {
		Name string `json:"name"`
	}
}

func (s *Service) step(what string) func(ctx context.Context, in *StepInput) (*Accepted, error) {
	return func(ctx context.Context, in *StepInput) (*Accepted, error) {
		if err := s.onlyOperator(ctx); err != nil { // read models are shared by all orgs
			return nil, err
		}
		admin, err := s.operator()
		if err != nil {
			return nil, err
		}
		switch {
		case in.Name == searchIndex:
			return nil, errNotRebuilt
		case !slices.Contains(s.Models, in.Name):
			return nil, errProjection
		}
		if what == "rebuild" {
			err = admin.Rebuild(ctx, in.Name)
		} else {
			err = admin.Ask(ctx, in.Name, what)
		}
		if err != nil {
			return nil, err
		}
		out := &Accepted{}
		out.Body.Name = in.Name
		return out, nil
	}
}

// operator is who knows about the projections.
func (s *Service) operator() (Admin, error) {
	if s.Admin == nil {
		return nil, errNoAdmin
	}
	return s.Admin, nil
}

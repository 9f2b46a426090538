package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// ParkedKey is an aggregate whose events wait for an operator.
type ParkedKey struct {
	Projection string    `json:"projection"`
	Key        string    `json:"key" doc:"kind.id of the aggregate."`
	Position   string    `json:"position" doc:"Of the event that failed."`
	Sequence   uint64    `json:"sequence" doc:"Of the event that failed; name it when you ask for a retry or a drop."`
	Type       string    `json:"type" doc:"Of the event that failed."`
	Error      string    `json:"error"`
	Attempts   int       `json:"attempts"`
	Since      time.Time `json:"since"`
	Asked      string    `json:"asked,omitempty" doc:"retry or drop, while the owner has not answered yet."`
}

var errParked = fault.New(fault.NotFound, "not_found", "nothing is parked under this key").
	WithHint("GET /v1/admin/parked lists what is")

func (s *Service) registerParked() {
	const tag = "Admin"
	codes := []string{"not_found", "not_parked", "parked_elsewhere", "admin_unavailable"}
	add(s, operation{
		id: "list-parked", method: http.MethodGet, path: "/v1/admin/parked", tag: tag, admin: true,
		summary: "List keys that wait for an operator", codes: codes,
	}, s.listParked)
	add(s, operation{
		id: "get-parked", method: http.MethodGet, path: "/v1/admin/parked/{name}/{key}", tag: tag, admin: true,
		summary: "Show one parked key", codes: codes,
	}, s.getParked)
	add(s, operation{
		id: "retry-parked", method: http.MethodPost, path: "/v1/admin/parked/{name}/{key}/retry", tag: tag, admin: true,
		status: http.StatusAccepted, summary: "Apply the failed event again, and all that waits behind it", codes: codes,
	}, s.askParked(Admin.RetryParked))
	add(s, operation{
		id: "drop-parked", method: http.MethodPost, path: "/v1/admin/parked/{name}/{key}/drop", tag: tag, admin: true,
		status: http.StatusAccepted, summary: "Skip the failed event, and go on with what waits behind it", codes: codes,
	}, s.askParked(Admin.DropParked))
}

// ListParked is what the list can be asked for.
type ListParked struct {
	Projection string `query:"projection" maxLength:"64"`
}

// ParkedKeys are the parked keys of every projection that could be asked.
type ParkedKeys struct {
	List[ParkedKey]
	Unreachable []Unreachable `json:"unreachable,omitempty" doc:"Projections whose keys are not in the list."`
}

// Unreachable is a projection that could not be asked.
type Unreachable struct {
	Projection string `json:"projection"`
	Reason     string `json:"reason"`
}

// listParked shows the keys of the caller's org, and of no other.
func (s *Service) listParked(ctx context.Context, in *ListParked) (*Answer[ParkedKeys], error) {
	admin, err := s.operator()
	if err != nil {
		return nil, err
	}
	all, err := admin.Parked(ctx, in.Projection)
	if err != nil {
		return nil, err
	}
	out := ParkedKeys{List: List[ParkedKey]{Items: []ParkedKey{}}}
	if in.Projection == "" {
		index, err := admin.Parked(ctx, searchIndex)
		if err != nil {
			out.Unreachable = append(out.Unreachable, Unreachable{Projection: searchIndex, Reason: reason(err)})
		}
		all = append(all, index...)
	}
	for _, p := range all {
		if p.Aggregate.Org == callerOf(ctx).OrgID {
			out.Items = append(out.Items, s.parkedOf(p))
		}
	}
	return &Answer[ParkedKeys]{out}, nil
}

// ParkedInput names a parked key.
type ParkedInput struct {
	ProjectionName
	Key string `path:"key" maxLength:"130" doc:"As in the list."`
}

func (s *Service) getParked(ctx context.Context, in *ParkedInput) (*Answer[ParkedKey], error) {
	admin, err := s.operator()
	if err != nil {
		return nil, err
	}
	p, err := findParked(ctx, admin, in)
	if err != nil {
		return nil, err
	}
	return &Answer[ParkedKey]{s.parkedOf(p)}, nil
}

// AskParked is what an operator asks of a parked key. Asking twice is the same as asking once.
type AskParked struct {
	ParkedInput

	Body *AskedEvent
}

// AskedEvent is the event that the operator looked at.
type AskedEvent struct {
	Sequence uint64 `json:"sequence,omitempty" minimum:"1" doc:"Of the failed event, as it was shown. When the key is parked at another one by now, nothing is done. Without it the one that it is parked at now is meant."`
}

func (s *Service) askParked(ask func(a Admin, ctx context.Context, name, key string, sequence uint64) error) func(ctx context.Context, in *AskParked) (*Answer[ParkedKey], error) {
	return func(ctx context.Context, in *AskParked) (*Answer[ParkedKey], error) {
		admin, err := s.operator()
		if err != nil {
			return nil, err
		}
		p, err := findParked(ctx, admin, &in.ParkedInput)
		if err != nil {
			return nil, err
		}
		sequence := p.Sequence
		if in.Body != nil && in.Body.Sequence != 0 {
			sequence = in.Body.Sequence
		}
		if err := ask(admin, ctx, in.Name, p.Key(), sequence); err != nil {
			return nil, err
		}
		return &Answer[ParkedKey]{s.parkedOf(p)}, nil
	}
}

func findParked(ctx context.Context, admin Admin, in *ParkedInput) (projections.Parked, error) {
	all, err := admin.Parked(ctx, in.Name)
	if err != nil {
		return projections.Parked{}, err
	}
	for _, p := range all {
		if p.Key() == callerOf(ctx).OrgID+"."+in.Key {
			return p, nil
		}
	}
	return projections.Parked{}, errParked
}

func (s *Service) parkedOf(p projections.Parked) ParkedKey {
	return ParkedKey{
		Projection: p.Projection, Key: strings.TrimPrefix(p.Key(), p.Aggregate.Org+"."),
		Position: s.Log.Position(p.Aggregate, p.Sequence).String(), Sequence: p.Sequence, Type: p.Type, Error: p.Error,
		Attempts: p.Attempts, Since: p.Since, Asked: p.Asked,
	}
}

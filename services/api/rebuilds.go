package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Rebuilds is what operators ask of the search indexes, wherever they are.
type Rebuilds interface {
	Rebuild(ctx context.Context, r search.RebuildRequest) (search.RebuildStatus, error)
}

// progressEvery is how often a stream of progress tells something.
const progressEvery = time.Second

// RebuildInput begins a rebuild.
type RebuildInput struct {
	Body struct {
		Rate   float64 `json:"rate,omitempty" minimum:"0" doc:"Documents a second at most; 0 or absent: as many as live work leaves room for."`
		Switch bool    `json:"switch,omitempty" doc:"Have the new index serve once it is built and verified."`
	}
}

// RebuildStepInput is a step of a rebuild.
type RebuildStepInput struct {
	Step string `path:"step" enum:"pause,resume,throttle,verify,switch,rollback,drop,cancel"`
	Body struct {
		Rate   float64 `json:"rate,omitempty" minimum:"0" doc:"Of throttle: documents a second at most; 0 for no limit."`
		Sample int     `json:"sample,omitempty" minimum:"0" maximum:"100000" doc:"Of verify: conversations that are folded from the log again; 200 unless said."`
	}
}

func (s *Service) registerRebuilds() {
	const tag, path = "Admin", "/v1/admin/rebuilds"
	codes := []string{"admin_unavailable", "rebuild_running", "rebuild_state", "rebuild_unsupported", "search_unavailable"}
	add(s, operation{
		id: "search-rebuild-status", method: http.MethodGet, path: path, tag: tag, admin: true,
		summary: "Search indexes, and the rebuild that is under way", codes: codes,
	}, func(ctx context.Context, _ *struct{}) (*Answer[search.RebuildStatus], error) {
		return s.rebuild(ctx, search.RebuildRequest{Ask: search.AskStatus})
	})
	add(s, operation{
		id: "search-rebuild", method: http.MethodPost, path: path, tag: tag, admin: true, status: http.StatusAccepted,
		summary: "Build a search index anew beside the one that serves",
		doc:     "From the log, newest first. It goes on in the background, also through restarts, and is then verified. Searches are answered all the time.",
		codes:   codes,
	}, func(ctx context.Context, in *RebuildInput) (*Answer[search.RebuildStatus], error) {
		return s.rebuild(ctx, search.RebuildRequest{Ask: search.AskRebuild, Rate: in.Body.Rate, Switch: in.Body.Switch})
	})
	add(s, operation{
		id: "search-rebuild-step", method: http.MethodPost, path: path + "/{step}", tag: tag, admin: true, status: http.StatusAccepted,
		summary: "Take a step of a rebuild",
		doc: "pause, resume (also after it failed), throttle, verify, switch (once verified), rollback (have the previous index serve), drop " +
			"(the previous index), cancel (give up what is built). The answer says how things are then.",
		codes: codes,
	}, func(ctx context.Context, in *RebuildStepInput) (*Answer[search.RebuildStatus], error) {
		return s.rebuild(ctx, search.RebuildRequest{Ask: in.Step, Rate: in.Body.Rate, Sample: in.Body.Sample})
	})
	add(s, operation{
		id: "search-rebuild-progress", method: http.MethodGet, path: path + "/stream", tag: tag, admin: true,
		summary: "Follow a rebuild", doc: "Server-sent events of type rebuild, each second, with what GET /v1/admin/rebuilds answers; " +
			"of type away, with the code of an error, while that is not known.",
		codes: append(codes, "stopping", "not_streamable"),
	}, s.followRebuild)
}

func (s *Service) rebuild(ctx context.Context, r search.RebuildRequest) (*Answer[search.RebuildStatus], error) {
	if err := s.onlyOperator(ctx); err != nil { // the indexes are shared by all orgs
		return nil, err
	}
	if s.Rebuilds == nil {
		return nil, errNoAdmin
	}
	status, err := s.Rebuilds.Rebuild(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Answer[search.RebuildStatus]{status}, nil
}

func (s *Service) followRebuild(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	if _, err := s.rebuild(ctx, search.RebuildRequest{Ask: search.AskStatus}); err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		err := s.streams.Serve(w, r, func() error { return s.stillWorks(c) }, func(ctx context.Context, out *web.Stream) error {
			tick := time.NewTicker(progressEvery)
			defer tick.Stop()
			for {
				if err := s.sendRebuild(ctx, out); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-tick.C:
				}
			}
		}, nil)
		if err != nil {
			web.WriteError(w, r, s.Logger, err)
		}
	}}, nil
}

func (s *Service) sendRebuild(ctx context.Context, out *web.Stream) error {
	status, err := s.Rebuilds.Rebuild(ctx, search.RebuildRequest{Ask: search.AskStatus})
	name, what := "rebuild", any(status)
	if err != nil {
		name, what = "away", map[string]string{"code": fault.CodeOf(err), "detail": reason(err)}
	}
	raw, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return out.Send("", name, raw)
}

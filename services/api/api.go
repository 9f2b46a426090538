// Package api is Tidemark's REST face under /v1: it decodes a request, says who is asking, builds a command of the
// domain and renders what came of it.
//
// Writes go to the command loop and need the log alone. Reads come from the read models, say as_of, and wait a
// moment when the caller asks for at least a position. Errors leave as RFC 9457 problems with stable codes; the text
// of an internal error never leaves. The shapes are Go types, and /openapi.json is made from them.
//
// It must not write to a database or name one of its tables, and it does not know the other services.
package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Deps is all that the service needs. What may be nil says so.
type Deps struct {
	Log         Log
	Loop        *command.Loop
	Directory   Directory
	Intake      Intake
	Typing      Typing // nil: nobody is seen typing
	Eraser      Eraser
	Presence    Presence // nil: streams say nothing of who is at their desk
	Files       Files    // nil: nothing can be attached
	Reads       Reads
	OperatorOrg string              // whose admins may make orgs; empty: nobody
	Models      []string            // the projections that /v1/admin/lag tells of; each can be rebuilt
	Admin       Admin               // nil: the admin pages answer that there is nothing
	Rebuilds    Rebuilds            // of the search indexes; nil: the same
	Ledger      Ledger              // nil: there is no account to be had
	Gatherer    prometheus.Gatherer // nil: no /metrics
	Health      []web.Check         // of the parts of this process, for /readyz
	Logger      *slog.Logger        // nil: nothing is logged
	Clock       func() time.Time    // nil: time.Now
	Limit       web.Limit           // for each key; zero: no limit
	Timeout     time.Duration       // of an answer that is no stream; zero: 15 s
	MaxWait     time.Duration       // for min_position; zero: 5 s
	Starting    time.Duration       // how long a request waits for the directory; zero: 5 s
	Heartbeat   time.Duration       // of streams; zero: the default
}

// Service is the REST face.
type Service struct {
	Deps
	ops     *web.Ops
	limiter *web.Limiter
	handler http.Handler
	api     huma.API
	spec    []byte
	*kinds
	streams *web.Streams
	places  *places
}

// New makes the service. Its Handler answers at once; Run is needed to end the streams in time.
func New(d Deps) (*Service, error) {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Timeout == 0 {
		d.Timeout = 15 * time.Second
	}
	if d.MaxWait == 0 {
		d.MaxWait = 5 * time.Second
	}
	if d.Starting == 0 {
		d.Starting = 5 * time.Second
	}
	s := &Service{
		Deps:    d,
		ops:     web.NewOps(d.Logger, d.Gatherer, d.Health...),
		limiter: web.NewLimiter(d.Limit),
		kinds:   newKinds(d.Loop),
		streams: web.NewStreams(d.Logger, d.Heartbeat),
		places:  newPlaces(d.Log),
	}
	mux := http.NewServeMux()
	s.api = newHuma(mux)
	s.api.UseMiddleware(s.checkID)
	s.register()
	if err := s.writeSpec(); err != nil {
		return nil, fmt.Errorf("describe the api: %w", err)
	}
	s.handler = s.routes(mux)
	return s, nil
}

// register makes every operation known, resource by resource.
func (s *Service) register() {
	s.registerConversations()
	s.registerMessages()
	s.registerAttachments()
	s.registerTyping()
	s.registerWork()
	s.registerCustomers()
	s.registerErasure()
	s.registerQueues()
	s.registerAgents()
	s.registerKeys()
	s.registerChannels()
	s.registerWorkflows()
	s.registerSearch()
	s.registerReports()
	s.registerSurveys()
	s.registerStream()
	s.registerProjections()
	s.registerRebuilds()
	s.registerParked()
	s.registerImport()
	s.registerOrgs()
	s.registerLedger()
}

// routes puts the checks before the operations, and the open pages beside them.
func (s *Service) routes(operations *http.ServeMux) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", s.authenticate(web.CheckRequest(web.Routes(operations), uploadPath)))
	mux.HandleFunc("GET /openapi.json", s.serveSpec)
	mux.HandleFunc("GET /docs", serveDocs)
	mux.HandleFunc("GET /docs/errors", serveErrors)
	mux.Handle("/healthz", s.ops)
	mux.Handle("/readyz", s.ops)
	mux.Handle("/metrics", s.ops)
	return web.Recover(s.Logger, web.CutOff(web.Routes(mux), web.BodyTimeout))
}

// Handler answers everything that the service serves: /v1, /docs, /openapi.json, /healthz, /readyz, /metrics.
func (s *Service) Handler() http.Handler { return s.handler }

// Drain makes /readyz answer 503, so that no new requests are sent here. Call it some time before the stop.
func (s *Service) Drain() { s.ops.Drain() }

// Run waits for ctx to end, and then ends the streams: their clients connect again, to another server.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	s.Drain()
	s.streams.Close()
	return nil
}

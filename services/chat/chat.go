// Package chat is what visitors of a site see, under /chat/v1: sessions, their own messages, and a live stream.
//
// Everything comes from the log and goes to the log: writing, history, streaming and resuming need neither a
// database nor any consumer. A session is a signed token that says all about itself; opening one writes nothing.
// A visitor sees their own conversations, and of them only what customers may see: notes and whatever else the
// desk does among itself never leave. A survey waits there until the visitor comes back, and is answered there.
//
// It must not import another service, and it must not read a projection.
package chat

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/visitor"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// Log is what the service needs of the event log besides writing to it.
type Log interface {
	Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error
	Head() uint64
	Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error)
	Last(ctx context.Context, a events.Aggregate) (events.Recorded, bool, error)
	At(ctx context.Context, sequence uint64) (events.Recorded, bool, error)
	Position(a events.Aggregate, sequence uint64) events.Position
	Incarnation() string
}

// Directory is the configuration in memory.
type Directory interface {
	Wait(ctx context.Context) error
	Org(id string) (directory.Org, bool)
	Channel(org, id string) (directory.Channel, bool)
	ChannelBySiteKey(key string) (directory.Channel, bool)
}

// Deps is all that the service needs. What may be nil or zero says so.
type Deps struct {
	Log       Log
	Loop      *command.Loop
	Directory Directory
	Intake    Intake
	Files     Files        // nil: nothing can be attached
	Typing    Typing       // nil: nobody is seen typing
	Logger    *slog.Logger // nil: nothing is logged

	Registerer prometheus.Registerer // nil: nothing is counted
	Clock      func() time.Time      // nil: time.Now
	Lifetime   time.Duration         // of a token; zero: 2 h
	Renewable  time.Duration         // for how long a token can be renewed; zero: 30 days
	Timeout    time.Duration         // of an answer that is no stream; zero: 15 s
	Starting   time.Duration         // how long a request waits for the directory; zero: 5 s
	Slowest    time.Duration         // that the body of a request may be, but for files; zero: web.BodyTimeout
	Heartbeat  time.Duration         // of streams; zero: the default
	Proxies    web.Proxies           // that say whom a request is from; nil: nobody does
	Sessions   web.Limit             // of new sessions, for each address at each site; zero: no limit
	Sites      web.Limit             // of new sessions, for each site; zero: no limit
	Requests   web.Limit             // of whatever is asked, for each visitor; zero: no limit
	Senders    web.Limit             // of messages, for each address at each site; zero: no limit
	Messages   web.Limit             // of messages, for each site; zero: no limit
	Uploads    web.Limit             // of files, for each visitor; zero: no limit
	Uploaders  web.Limit             // of files, for each address at each site; zero: no limit
}

// Service is the visitors' face.
type Service struct {
	Deps
	conversations *command.Handler[conversation.State, conversation.Command]
	customers     *command.Handler[customer.State, customer.Command]
	visitors      *command.Handler[visitor.State, visitor.Command]
	revocations   *revocations
	limits        limits
	streams       *web.Streams
	looks         chan struct{} // holds a token for each stream that looks into the past
	handler       http.Handler
}

// New makes the service. Its Handler answers at once; Run is needed to end the streams in time.
func New(d Deps) *Service {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Lifetime == 0 {
		d.Lifetime = 2 * time.Hour
	}
	if d.Renewable == 0 {
		d.Renewable = 30 * 24 * time.Hour
	}
	if d.Timeout == 0 {
		d.Timeout = 15 * time.Second
	}
	if d.Slowest == 0 {
		d.Slowest = web.BodyTimeout
	}
	if d.Starting == 0 {
		d.Starting = 5 * time.Second
	}
	s := &Service{
		Deps:          d,
		conversations: aggregates.Conversations(d.Loop),
		customers:     aggregates.Customers(d.Loop),
		visitors:      aggregates.Visitors(d.Loop),
		revocations:   newRevocations(d.Log, d.Clock, d.Lifetime+d.Renewable),
		limits:        newLimits(d),
		streams:       web.NewStreams(d.Logger, d.Heartbeat),
		looks:         make(chan struct{}, 8),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /chat/v1/channels/{site_key}", s.answer(s.inTime(s.showChannel)))
	mux.HandleFunc("POST /chat/v1/sessions", s.answer(s.inTime(s.openSession)))
	mux.HandleFunc("DELETE /chat/v1/sessions/current", s.answer(s.inTime(s.holder(s.endSessions))))
	mux.HandleFunc("POST /chat/v1/messages", s.answer(s.inTime(s.visitor(s.postMessage))))
	mux.HandleFunc("GET /chat/v1/messages", s.answer(s.inTime(s.visitor(s.listMessages))))
	mux.HandleFunc("GET /chat/v1/conversations", s.answer(s.inTime(s.visitor(s.listConversations))))
	mux.HandleFunc("POST /chat/v1/conversations", s.answer(s.inTime(s.visitor(s.startConversation))))
	mux.HandleFunc("POST /chat/v1/typing", s.answer(s.inTime(s.visitor(s.visitorTypes))))
	mux.HandleFunc("POST /chat/v1/read", s.answer(s.inTime(s.visitor(s.markRead))))
	mux.HandleFunc("POST /chat/v1/surveys/{id}", s.answer(s.inTime(s.visitor(s.answerSurvey))))
	mux.HandleFunc("GET /chat/v1/stream", s.answer(s.revocable(s.visitor(s.stream))))
	mux.HandleFunc("POST "+uploadPath, s.answer(s.visitor(s.upload)))
	s.handler = web.Recover(d.Logger, web.CutOff(s.crossOrigin(web.CheckRequest(web.Routes(mux), uploadPath)), d.Slowest))
	return s
}

// Handler answers everything under /chat/.
func (s *Service) Handler() http.Handler { return s.handler }

// Run ends the streams of sessions that are revoked, until ctx ends, and then all of them: their clients come back, to
// another server. After an error it may be called again.
func (s *Service) Run(ctx context.Context) error {
	err := s.revocations.follow(ctx)
	if ctx.Err() != nil {
		s.streams.Close()
		return nil //nolint:nilerr // being told to stop is no error
	}
	return err
}

// inTime ends the context of a request that takes too long.
func (s *Service) inTime(h func(w http.ResponseWriter, r *http.Request) error) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
		defer cancel()
		return h(w, r.WithContext(ctx))
	}
}

// answer renders what a handler returns as its error.
func (s *Service) answer(h func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := h(w, r); err != nil {
			p, internal := web.Translate(err)
			if internal {
				web.LogInternal(r.Context(), s.Logger, r.Method, r.Pattern, err)
			}
			p.Locate(func(name string) string { return "body." + name })
			web.WriteProblem(w, p)
		}
	}
}

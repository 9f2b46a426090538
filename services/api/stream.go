package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// streamKinds are what agents may follow. Keys, secrets and claims are not among them.
var streamKinds = []events.Kind{events.KindConversation, events.KindCustomer, events.KindAgent, events.KindQueue}

var errPositionUnknown = fault.New(fault.Invalid, "position_unknown", "the position is of another log").
	WithHint("forget it, read anew, and stream from there")

// StreamEvent is the data of one event of the stream.
type StreamEvent struct {
	ID       string       `json:"id" doc:"Of the event."`
	Type     string       `json:"type" example:"conversation.message_received"`
	Of       string       `json:"of" doc:"Id of the conversation, customer, agent or queue."`
	Kind     events.Kind  `json:"kind" enum:"conversation,customer,agent,queue"`
	Time     time.Time    `json:"time"`
	Actor    Author       `json:"actor"`
	Position string       `json:"position" doc:"Also the id of the server-sent event: Last-Event-ID resumes behind it."`
	Data     events.Event `json:"data" doc:"What happened; see the reference of events."`
}

// StreamInput is what a stream can be asked for.
type StreamInput struct {
	LastEventID  string      `header:"Last-Event-ID" maxLength:"200" doc:"Resume behind this position, without a gap and without a double."`
	After        string      `query:"after" maxLength:"200" doc:"The same, for who cannot set the header, such as the first request of a browser."`
	Conversation string      `query:"conversation" maxLength:"64" doc:"Only this conversation."`
	Kind         events.Kind `query:"kind" enum:"conversation,customer,agent,queue" doc:"Only this kind."`
}

func (s *Service) registerStream() {
	add(s, operation{
		id: "stream", method: http.MethodGet, path: "/v1/stream", tag: "Stream",
		summary: "Follow what happens, live",
		doc: "Server-sent events, straight from the log. Each event's id is its position; Last-Event-ID resumes without a gap, however " +
			"long the absence. Without a position the stream begins now. A reader that is too slow is cut off and resumes by its last id. The stream ends when its key stops working.",
		codes: []string{"position_unknown", "stopping", "log_unavailable", "not_streamable"},
	}, s.stream)
}

func (s *Service) stream(ctx context.Context, in *StreamInput) (*huma.StreamResponse, error) {
	after, err := s.resume(in)
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	filter := eventlog.Filter{Org: c.OrgID, Kinds: streamKinds}
	if in.Kind != "" {
		filter.Kinds = []events.Kind{in.Kind}
	}
	if in.Conversation != "" {
		if !events.ValidID(in.Conversation) {
			return nil, wrong("query.conversation", "is 1 to 64 letters, digits, '-' or '_'")
		}
		filter.Kinds, filter.ID = []events.Kind{events.KindConversation}, in.Conversation
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		err := s.streams.Serve(w, r, func() error { return s.stillWorks(c) }, func(ctx context.Context, out *web.Stream) error {
			if in.Kind == "" || in.Kind == events.KindConversation {
				defer s.showTyping(out, c, in.Conversation)()
			}
			return s.Log.Tail(ctx, filter, after, nil, func(e events.Recorded) error { return s.send(out, e) })
		})
		if err != nil {
			web.WriteError(w, r, s.Logger, err)
		}
	}}, nil
}

// stillWorks tells whether the caller's key was neither revoked nor lost its agent since the request came.
func (s *Service) stillWorks(c *caller) error {
	if key, ok := s.Directory.Key(c.hash); !ok || key.ID != c.ID || key.OrgID != c.OrgID {
		return errUnauthenticated
	}
	return nil
}

// resume is the sequence behind which the stream begins.
func (s *Service) resume(in *StreamInput) (uint64, error) {
	token, location := in.LastEventID, "header.Last-Event-ID"
	if token == "" {
		token, location = in.After, "query.after"
	}
	if token == "" {
		return s.Log.Head(), nil
	}
	p, err := events.ParsePosition(token)
	if err != nil {
		return 0, wrong(location, "is not a position")
	}
	if p.Incarnation != s.Log.Incarnation() {
		return 0, errPositionUnknown
	}
	return p.Sequence, nil
}

func (s *Service) send(out *web.Stream, e events.Recorded) error {
	position := s.Log.Position(e.Aggregate, e.Sequence).String()
	name := e.Event.EventType()
	if i := strings.LastIndex(name, ".v"); i > 0 {
		name = name[:i]
	}
	data, err := json.Marshal(StreamEvent{
		ID: e.Metadata.ID, Type: name, Of: e.Aggregate.ID, Kind: e.Kind, Time: e.Time,
		Actor: Author{Type: e.Actor.Type, ID: e.Actor.ID}, Position: position, Data: e.Event,
	})
	if err != nil {
		return err
	}
	return out.Send(position, name, data)
}

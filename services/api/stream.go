package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/attachment"
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

	Attachments []attachment.Attachment `json:"attachments,omitempty" doc:"Files of the message, with links that work for some hours."`
}

// StreamInput is what a stream can be asked for.
type StreamInput struct {
	LastEventID  string        `header:"Last-Event-ID" maxLength:"200" doc:"Resume behind this position, without a gap and without a double."`
	After        string        `query:"after" maxLength:"200" doc:"The same, for who cannot set the header, such as the first request of a browser."`
	Conversation string        `query:"conversation" maxLength:"64" doc:"Only this conversation."`
	Assignee     string        `query:"assignee" maxLength:"64" doc:"Only conversations of this agent, each for as long as they are: the event that takes one away is the last of it. Id, me, or none."`
	Watch        bool          `query:"watch" doc:"Only watch: the stream does not say that its agent is at their desk."`
	Queue        string        `query:"queue" maxLength:"64" doc:"Only conversations in this queue, in the same way. Id, or none."`
	Kind         []events.Kind `query:"kind" enum:"conversation,customer,agent,queue" maxItems:"4" doc:"Only these kinds; with an assignee or a queue conversations alone, unless others are named here."`
}

func (s *Service) registerStream() {
	add(s, operation{
		id: "stream", method: http.MethodGet, path: "/v1/stream", tag: "Stream",
		summary: "Follow what happens, live",
		doc: "An agent is at their desk while a stream of one of their keys is open, unless it only watches. " +
			"Server-sent events, straight from the log. Each event's id is its position; Last-Event-ID resumes without a gap, however " +
			"long the absence. Without a position the stream begins now, and says where that is. An id without data moves the place to resume from, as " +
			"browsers understand it. A reader that is too slow is cut off and resumes by its last id. The stream ends when its key stops working, and " +
			"with the event reconnect when the server stops: wait its after_ms, and connect again.",
		codes: []string{"position_unknown", "stopping", "log_unavailable", "not_streamable"},
	}, s.stream)
}

func (s *Service) stream(ctx context.Context, in *StreamInput) (*huma.StreamResponse, error) {
	after, err := s.resume(in)
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	filter, err := in.filter(c)
	if err != nil {
		return nil, err
	}
	scope, watch := in.scope(c), in.Watch
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		err := s.streams.Serve(w, r, func() error { return s.stillWorks(c) }, func(ctx context.Context, out *web.Stream) error {
			if s.Presence != nil && !watch {
				defer s.Presence.Opened(c.OrgID, c.AgentID)()
			}
			if err := out.Begin(s.Log.Position(events.Aggregate{Org: c.OrgID}, after)); err != nil {
				return err
			}
			if in.Assignee == "" && in.Queue == "" && slices.Contains(filter.Kinds, events.KindConversation) {
				defer s.showTyping(out, c, in.Conversation)()
			}
			out.Hold() // what was missed goes together
			return s.Log.Tail(ctx, filter, after, out.Release, func(e events.Recorded) error {
				belongs, err := s.places.in(ctx, scope, e)
				if err != nil {
					return err
				}
				if !belongs {
					out.Passed(s.Log.Position(e.Aggregate, e.Sequence))
					return nil
				}
				return s.send(out, e)
			})
		}, nil)
		if err != nil {
			web.WriteError(w, r, s.Logger, err)
		}
	}}, nil
}

// filter is which kinds, and of which conversation.
func (in *StreamInput) filter(c *caller) (eventlog.Filter, error) {
	f := eventlog.Filter{Org: c.OrgID, Kinds: streamKinds}
	switch {
	case in.Conversation != "":
		if !events.ValidID(in.Conversation) {
			return f, wrong("query.conversation", "is 1 to 64 letters, digits, '-' or '_'")
		}
		f.Kinds, f.ID = []events.Kind{events.KindConversation}, in.Conversation
	case len(in.Kind) > 0:
		f.Kinds = in.Kind
	case in.Assignee != "" || in.Queue != "":
		f.Kinds = []events.Kind{events.KindConversation}
	}
	return f, nil
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
		Attachments: s.filesOf(e),
	})
	if err != nil {
		return err
	}
	return out.Send(position, name, data)
}

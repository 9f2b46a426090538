package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// The names of what a stream tells, and of where a conversation stands.
const (
	eventMessage = "message"
	eventStatus  = "status"
	eventSurvey  = "survey"
	eventErased  = "erased"
	statusOpen   = "open"
	statusClosed = "closed"
)

var errPositionUnknown = fault.New(fault.Invalid, "position_unknown", "the position is of another log").
	WithHint("forget it, read the history, and stream from there")

// erasedEvent tells that the session means nothing any more. It is the last event of a stream.
type erasedEvent struct {
	At       time.Time `json:"at"`
	Position string    `json:"position"`
}

// statusEvent tells that the conversation was closed or is open again. Why, and by whom, stays at the desk.
type statusEvent struct {
	Status   string    `json:"status"`
	At       time.Time `json:"at"`
	Position string    `json:"position"`
}

// stream follows a conversation of the visitor from the log, the present one if none is named, also before it begins. It
// starts behind Last-Event-ID, or behind the query's after; without either it tells everything. It ends with the session,
// and when the channel no longer serves the page that it is on.
func (s *Service) stream(w http.ResponseWriter, r *http.Request, v session) error {
	if err := s.open(v); err != nil {
		return err
	}
	after, err := s.resume(r)
	if err != nil {
		return err
	}
	if s.isErased(r.Context(), v, after) {
		return errErased
	}
	who := v
	if v, err = s.at(r.Context(), v, r.URL.Query().Get("conversation_id")); err != nil {
		return err
	}
	a := v.conversation()
	filter := eventlog.Filter{Org: a.Org, Kinds: []events.Kind{a.Kind}, ID: a.ID}
	origin := r.Header.Get("Origin")
	goesOn := func() error {
		if err := s.admits(v, origin); err != nil {
			return err
		}
		return s.open(v)
	}
	held := takeHeld(r)
	return s.streams.Serve(w, r, goesOn, func(ctx context.Context, out *web.Stream) error {
		held.bind(out)
		defer s.showTyping(out, v)()
		out.Hold() // what was missed goes together
		quiet, erased := after > 0, error(nil)
		err := s.Log.Tail(ctx, filter, after, func() {
			out.Release()
			if e, found := s.erasedMeanwhile(ctx, who, quiet); found {
				erased = s.tellErased(out, e)
				out.End(errErased)
			}
		}, func(e events.Recorded) error {
			quiet = false
			if mark, ok := e.Event.(events.ConversationReadUpTo); ok {
				return s.tellRead(ctx, out, v, e, mark)
			}
			return s.tell(out, v, e)
		})
		switch cause := context.Cause(ctx); {
		case erased != nil:
		case errors.Is(cause, errRevoked):
			return tellRevoked(out, s.Clock())
		case errors.Is(cause, errExpired):
			return nil // its time was over, as a heartbeat has noticed
		}
		return cmp.Or(erased, err)
	}, held.release)
}

// isErased tells of who was erased before the stream begins: to whoever comes for the first time, or back behind the event
// that told it. Everybody else is told in the stream. After a restart all come back at once, and to look into the past of
// each first would be to read the log in a thousand places.
func (s *Service) isErased(ctx context.Context, v session, after uint64) bool {
	if after == 0 {
		return s.erased(ctx, v)
	}
	e, _, err := s.Log.At(ctx, after)
	return err == nil && v.erasedBy(e)
}

// erasedMeanwhile finds what erased a visitor whose stream has told nothing of what they missed. What happens to a
// conversation happens before it is erased, and erasing it is the last of it.
func (s *Service) erasedMeanwhile(ctx context.Context, v session, quiet bool) (events.Recorded, bool) {
	if !quiet {
		return events.Recorded{}, false
	}
	select {
	case s.looks <- struct{}{}:
		defer func() { <-s.looks }()
		return s.tombstone(ctx, v)
	case <-ctx.Done():
		return events.Recorded{}, false
	}
}

func (s *Service) resume(r *http.Request) (uint64, error) {
	token := r.Header.Get("Last-Event-ID")
	if token == "" {
		token = r.URL.Query().Get("after")
	}
	if token == "" {
		return 0, nil
	}
	p, err := events.ParsePosition(token)
	if err != nil {
		return 0, web.Invalid(fault.Field{Location: "header.Last-Event-ID", Message: "is not a position"})
	}
	if p.Incarnation != s.Log.Incarnation() {
		return 0, errPositionUnknown
	}
	return p.Sequence, nil
}

// tell sends what a visitor may see of an event. Everything is refused that is not named here.
func (s *Service) tell(out *web.Stream, v session, e events.Recorded) error {
	if m, ok := s.message(v, e); ok {
		return send(out, eventMessage, m.Position, m)
	}
	if m, ok := s.survey(e); ok {
		return send(out, eventSurvey, m.Position, m)
	}
	position := s.Log.Position(e.Aggregate, e.Sequence).String()
	var status string
	switch e.Event.(type) {
	case events.ConversationReopened:
		status = statusOpen
	case events.ConversationClosed, events.ConversationMerged:
		status = statusClosed
	case events.ConversationErased:
		return s.tellErased(out, e)
	default:
		return nil
	}
	return send(out, eventStatus, position, statusEvent{Status: status, At: e.Time, Position: position})
}

// tellErased tells that everything is erased, and ends the stream with that.
func (s *Service) tellErased(out *web.Stream, e events.Recorded) error {
	position := s.Log.Position(e.Aggregate, e.Sequence).String()
	return errors.Join(send(out, eventErased, position, erasedEvent{At: e.Time, Position: position}), errErased)
}

func send(out *web.Stream, name, id string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return out.Send(id, name, data)
}

package chat

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// How many messages a page has.
const (
	usualPage = 100
	mostPage  = 200
)

var errCursor = fault.New(fault.Invalid, "cursor_invalid", "the cursor is not one of ours").
	WithHint("take cursors from links.next as they are, or start without one")

// history is a page of a visitor's messages, the oldest of them first. The first page has the newest; links.next leads
// to those before, until there are none.
type history struct {
	ConversationID string    `json:"conversation_id"`
	Status         string    `json:"status"` // none before the first message, then open or closed
	Items          []Message `json:"items"`
	Survey         *Survey   `json:"survey,omitempty"` // the newest that was asked, whatever came of it; only the first page has it
	Links          links     `json:"links"`
	Position       string    `json:"position,omitempty"` // behind which the stream goes on; only the first page has it
}

type links struct {
	Next string `json:"next,omitempty"`
}

// pageRequest is which page of which conversation is asked for: so many messages before a sequence, 0 for the newest.
type pageRequest struct {
	limit        int
	before       uint64
	conversation string // empty: the present one
}

// listMessages reads the conversation from the log.
func (s *Service) listMessages(w http.ResponseWriter, r *http.Request, v session) error {
	if err := s.open(v); err != nil {
		return err
	}
	ask, err := s.page(r.URL.Query())
	if err != nil {
		return err
	}
	v, err = s.at(r.Context(), v, ask.conversation)
	if err != nil {
		return err
	}
	a := v.conversation()
	recorded, err := s.Log.Read(r.Context(), a, 0)
	if err != nil {
		return err
	}
	out := history{ConversationID: a.ID, Status: "none", Items: []Message{}}
	for _, e := range recorded {
		switch e.Event.(type) {
		case events.ConversationOpened, events.ConversationReopened:
			out.Status = statusOpen
		case events.ConversationClosed, events.ConversationMerged:
			out.Status = statusClosed
		case events.ConversationErased:
			return errErased
		}
		if ask.before == 0 {
			out.Survey = s.foldSurvey(out.Survey, e)
			out.Position = s.Log.Position(a, e.Sequence).String()
		} else if e.Sequence >= ask.before {
			continue
		}
		if m, ok := s.message(v, e); ok {
			out.Items = append(out.Items, m)
		}
	}
	out.Survey.due(s.Clock())
	if older := len(out.Items) - ask.limit; older > 0 {
		out.Items = out.Items[older:]
		q := r.URL.Query()
		q.Set("cursor", out.Items[0].Position)
		out.Links.Next = (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String()
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// page reads the query of a list. A cursor is the position of the oldest message of the page before.
func (s *Service) page(q url.Values) (pageRequest, error) {
	ask := pageRequest{limit: usualPage}
	for name := range q {
		switch value := q.Get(name); name {
		case "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > mostPage {
				return ask, web.Invalid(fault.Field{Location: "query.limit", Message: "expected a number from 1 to " + strconv.Itoa(mostPage)})
			}
			ask.limit = n
		case "cursor":
			p, err := events.ParsePosition(value)
			if err != nil || p.Incarnation != s.Log.Incarnation() || p.Sequence == 0 {
				return ask, errCursor
			}
			ask.before = p.Sequence
		case "conversation_id":
			ask.conversation = value
		default:
			return ask, web.Invalid(fault.Field{Location: "query." + name, Message: "unknown query parameter"})
		}
	}
	return ask, nil
}

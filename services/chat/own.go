package chat

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// How much of a visitor's past is looked for. What is beyond stays in the log and at the desk.
const (
	maxConversations = 100 // of one visitor at one channel
	maxVisitors      = 50  // that turned out to be one customer, the newest
)

// errNotTaken says that a conversation does not know a message. It never leaves.
var errNotTaken = errors.New("the message was not taken here")

// own is one of the conversations that a session may see.
type own struct {
	session // as of the visitor who began it
	State   conversation.State
	Last    uint64 // sequence of its newest event
}

// conversation is the nth of the visitor: its id follows from who they are, so that it can be followed before it begins,
// and so that the log needs no index to find all of a visitor's conversations.
func (s session) conversation() events.Aggregate {
	parts := []string{"chat", s.Org, s.Channel, s.Visitor, "conversation"}
	if s.nth > 0 {
		parts = append(parts, strconv.Itoa(s.nth))
	}
	return events.Aggregate{Org: s.Org, Kind: events.KindConversation, ID: command.DeriveID(parts...)}
}

// own lists the conversations of the session's visitor, and of those who turned out to be them, the one that a message
// goes to first: open ones before those that are over, then as they changed last. Who has proven nothing sees only what
// they began themselves.
func (s *Service) own(ctx context.Context, v session) ([]own, error) {
	visitors := []string{v.Visitor}
	if v.Identified {
		more, err := s.absorbed(ctx, v)
		if err != nil {
			return nil, err
		}
		visitors = append(visitors, more...)
	}
	var all []own
	for _, visitor := range visitors {
		begun, err := s.begun(ctx, v, visitor)
		if err != nil {
			return nil, err
		}
		all = append(all, begun...)
	}
	all = slices.DeleteFunc(all, func(o own) bool { return o.State.Erased })
	slices.SortStableFunc(all, func(a, b own) int {
		if a.State.Active() != b.State.Active() {
			if a.State.Active() {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Last, a.Last)
	})
	return all, nil
}

// begun lists the conversations that a visitor began, the first one first, erased ones too. One is begun only when the one
// before was, so the first that is not there ends the list.
func (s *Service) begun(ctx context.Context, v session, visitor string) ([]own, error) {
	var all []own
	for n := range maxConversations {
		at := v
		at.Visitor, at.nth = visitor, n
		state, last, err := s.conversations.State(ctx, at.Org, at.conversation().ID)
		switch {
		case err != nil:
			return nil, err
		case last == 0:
			return all, nil
		}
		all = append(all, own{session: at, State: state, Last: last})
	}
	return all, nil
}

// absorbed are the visitors and customers who turned out to be this one, the newest first, also by way of others.
func (s *Service) absorbed(ctx context.Context, v session) ([]string, error) {
	var found []string
	for next := []string{v.Visitor}; len(next) > 0 && len(found) < maxVisitors; next = next[1:] {
		state, _, err := s.customers.State(ctx, v.Org, next[0])
		if err != nil {
			return nil, err
		}
		for _, id := range slices.Backward(state.Absorbed) {
			if id != v.Visitor && !slices.Contains(found, id) && len(found) < maxVisitors {
				found, next = append(found, id), append(next, id)
			}
		}
	}
	return found, nil
}

// single tells whether the visitor has no conversation but the first, which may not have begun. Most have not, and of them
// nothing has to be folded to know which conversation is meant.
func (s *Service) single(ctx context.Context, v session) (bool, error) {
	if v.Identified {
		more, err := s.absorbed(ctx, v)
		if err != nil || len(more) > 0 {
			return false, err
		}
	}
	second := v
	second.nth = 1
	_, begun, err := s.Log.Last(ctx, second.conversation())
	return !begun, err
}

// at is the session in one of its conversations: the named one, or the one that a message goes to now. Whatever is not the
// visitor's own is not there.
func (s *Service) at(ctx context.Context, v session, id string) (session, error) {
	if id == v.conversation().ID {
		return v, nil
	}
	if id == "" {
		if single, err := s.single(ctx, v); err != nil || single {
			return v, err
		}
	}
	all, err := s.own(ctx, v)
	switch {
	case err != nil:
		return v, err
	case id == "" && len(all) > 0:
		return all[0].session, nil
	case id == "":
		return v, nil
	}
	for _, o := range all {
		if o.conversation().ID == id {
			return o.session, nil
		}
	}
	return v, conversation.ErrNotFound
}

// target is the conversation that a message goes to, and takes the files that it lists, which are of that conversation. One
// that was taken before stays where it went, whatever is the present conversation by now: a resend adds nothing.
func (s *Service) target(ctx context.Context, v session, in *messageRequest, uploads []string) (session, error) {
	if in.ConversationID != "" {
		at, err := s.at(ctx, v, in.ConversationID)
		if err == nil && len(uploads) > 0 {
			at, in.Files, in.late, err = s.redeem(v, uploads, at)
		}
		return at, err
	}
	if len(uploads) == 0 {
		if single, err := s.single(ctx, v); err != nil || single {
			return v, err
		}
	}
	all, err := s.own(ctx, v)
	if err != nil {
		return v, err
	}
	at := v
	if len(all) > 0 {
		at = all[0].session
	}
	if len(uploads) > 0 {
		where := []session{at}
		for _, o := range all {
			where = append(where, o.session)
		}
		if at, in.Files, in.late, err = s.redeem(v, uploads, where...); err != nil {
			return v, err
		}
	}
	if len(all) < 2 {
		return at, nil
	}
	return s.taken(ctx, all, *in, at)
}

// taken is where a message was taken before; otherwise it is the given one.
func (s *Service) taken(ctx context.Context, all []own, in messageRequest, otherwise session) (session, error) {
	for _, o := range all {
		_, err := s.conversations.Refuse(ctx, o.Org, o.conversation().ID, command.Meta{ID: o.commandID(in.ID)}, errNotTaken)
		switch {
		case err == nil:
			return o.session, nil
		case !errors.Is(err, errNotTaken):
			return otherwise, err
		}
	}
	return otherwise, nil
}

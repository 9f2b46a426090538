package inbox

import (
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/inbox/db"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// row is the state as it is written.
func (s *state) row() (db.PutParams, error) {
	attributes, err := pgtext.Attributes(s.Attributes)
	if err != nil {
		return db.PutParams{}, err
	}
	keys := make([]int64, len(s.Tags))
	for i, t := range s.Tags {
		keys[i] = tagKey(s.Org, t)
	}
	recent := s.recent
	if recent == nil {
		recent = []int64{}
	}
	return db.PutParams{
		Org: s.Org, ID: s.ID, CustomerID: s.CustomerID, Channel: string(s.Channel), ChannelID: s.ChannelID,
		Subject: s.Subject, Status: string(s.Status), QueueID: s.QueueID, AssigneeID: s.AssigneeID,
		Priority: rank(s.Priority), Tags: s.Tags, TagKeys: keys, Attributes: attributes, MergedInto: s.MergedInto,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, LastMessageAt: s.LastMessageAt,
		LastMessageFrom: s.LastMessageFrom, LastMessagePreview: s.LastMessagePreview,
		MessageCount: int32(s.MessageCount), NoteCount: int32(s.NoteCount), //nolint:gosec // counts of one conversation
		UnreadByDesk: int32(s.UnreadByDesk), UnreadByCustomer: int32(s.UnreadByCustomer), //nolint:gosec // as above
		WaitingSince: s.WaitingSince, SnoozedUntil: s.SnoozedUntil, Recent: recent,
		Sequence: int64(s.Sequence), //nolint:gosec // a stream does not reach 2^63
	}, nil
}

func stateOf(r db.InboxConversation) (*state, error) {
	c, err := conversation(r)
	return &state{Conversation: c, recent: r.Recent}, err
}

// conversation is a row as readers see it.
func conversation(r db.InboxConversation) (Conversation, error) {
	attributes, err := pgtext.ParseAttributes(r.Attributes)
	if err != nil {
		return Conversation{}, err
	}
	return Conversation{
		Org: r.Org, ID: r.ID, CustomerID: r.CustomerID, Channel: events.Channel(r.Channel), ChannelID: r.ChannelID,
		Subject: r.Subject, Status: events.Status(r.Status), MergedInto: r.MergedInto, QueueID: r.QueueID,
		AssigneeID: r.AssigneeID, Priority: priority(r.Priority), Tags: r.Tags, Attributes: attributes,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), LastMessageAt: utc(r.LastMessageAt),
		LastMessageFrom: r.LastMessageFrom, LastMessagePreview: r.LastMessagePreview,
		MessageCount: int(r.MessageCount), NoteCount: int(r.NoteCount),
		UnreadByDesk: int(r.UnreadByDesk), UnreadByCustomer: int(r.UnreadByCustomer),
		WaitingSince: utc(r.WaitingSince), SnoozedUntil: utc(r.SnoozedUntil),
		Sequence: uint64(r.Sequence), //nolint:gosec // written from one
	}, nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// rank is a priority as it is stored and sorted: 0 low to 3 urgent. One that is not known is normal.
func rank(p events.Priority) int16 {
	i := slices.Index(events.Priorities, p)
	if i < 0 {
		i = slices.Index(events.Priorities, events.PriorityNormal)
	}
	return int16(i) //nolint:gosec // one of four
}

func priority(rank int16) events.Priority {
	if int(rank) < 0 || int(rank) >= len(events.Priorities) {
		return events.PriorityNormal
	}
	return events.Priorities[rank]
}

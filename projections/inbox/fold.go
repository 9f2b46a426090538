package inbox

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
)

// recentMessages is how many of the newest messages a row remembers. A read mark on an older one changes nothing.
const recentMessages = 32

// state is a row with what only the fold needs.
type state struct {
	Conversation

	// recent has a hash for each of the newest messages, oldest first. The lowest bit tells who wrote: 1 the customer.
	recent []int64
	erased bool // the row is to be no more
}

// fold applies one event of a conversation. It changes s alone, and never a slice or map that s had before. Events that
// s has already are passed over.
func (s *state) fold(r events.Recorded) {
	if r.Sequence <= s.Sequence {
		return
	}
	s.Sequence = r.Sequence
	at := pgtext.Time(r.Time)
	if !events.Beside(r.Event) {
		s.UpdatedAt = at
	}
	switch e := r.Event.(type) {
	case events.ConversationOpened:
		s.open(r, e, at)
	case events.ConversationSubjectSet:
		s.Subject = pgtext.Clean(e.Subject)
	case events.ConversationMessageReceived:
		s.message(events.ActorCustomer, e.MessageID, said(e.Text, e.Attachments), at)
	case events.ConversationMessageWritten:
		s.message(e.Author.Type, e.MessageID, said(e.Text, e.Attachments), at)
	case events.ConversationNoteAdded:
		s.NoteCount++
	case events.ConversationQueued:
		s.QueueID = e.QueueID
	case events.ConversationAssigned:
		s.AssigneeID = e.AgentID
	case events.ConversationUnassigned:
		s.AssigneeID = ""
	case events.ConversationPrioritySet:
		s.Priority = priority(rank(e.Priority))
	case events.ConversationTagged:
		s.tag(pgtext.Clean(e.Tag))
	case events.ConversationUntagged:
		tag := pgtext.Clean(e.Tag)
		s.Tags = slices.DeleteFunc(slices.Clone(s.Tags), func(t string) bool { return t == tag })
	case events.ConversationAttributesSet:
		s.Attributes = pgtext.Merge(s.Attributes, e.Attributes)
	case events.ConversationSnoozed:
		until := pgtext.Time(e.Until)
		s.Status, s.SnoozedUntil = events.StatusSnoozed, &until
	case events.ConversationWoke:
		s.Status, s.SnoozedUntil = events.StatusOpen, nil
	case events.ConversationClosed:
		s.close()
	case events.ConversationReopened:
		s.Status, s.SnoozedUntil = events.StatusOpen, nil
	case events.ConversationReadUpTo:
		s.read(e)
	case events.ConversationMerged:
		s.MergedInto = e.IntoID
		s.close()
	case events.ConversationErased:
		s.erased = true
	}
}

func (s *state) open(r events.Recorded, e events.ConversationOpened, at time.Time) {
	s.Conversation = Conversation{
		Org: r.Org, ID: r.Aggregate.ID, CustomerID: e.CustomerID, Channel: e.Channel, ChannelID: e.ChannelID,
		Subject: pgtext.Clean(e.Subject), Status: events.StatusOpen, Priority: events.PriorityNormal,
		Tags: []string{}, Attributes: map[string]any{}, CreatedAt: at, UpdatedAt: at, Sequence: r.Sequence,
	}
}

// said is what a list shows of a message: its text, or the name of the first file of one that has none.
func said(text string, attachments []events.Attachment) string {
	if text == "" && len(attachments) > 0 {
		return attachments[0].Name
	}
	return text
}

func (s *state) message(from, id, text string, at time.Time) {
	s.MessageCount++
	s.LastMessageAt, s.LastMessageFrom, s.LastMessagePreview = &at, from, preview(text)
	byCustomer := from == events.ActorCustomer
	switch {
	case byCustomer:
		s.UnreadByDesk++
		s.UnreadByCustomer = 0
		if s.WaitingSince == nil {
			s.WaitingSince = &at
		}
	case from == events.ActorAgent || from == events.ActorImport:
		s.UnreadByCustomer++
		s.UnreadByDesk = 0
		s.WaitingSince = nil
	default: // an automation answered: the customer still waits for a person
		s.UnreadByCustomer++
	}
	s.recent = append(slices.Clone(s.recent[max(0, len(s.recent)-recentMessages+1):]), hashMessage(id, byCustomer))
}

// read applies a read mark: what is unread is at most what came after the message. Marks never go back.
func (s *state) read(e events.ConversationReadUpTo) {
	after := -1
	for i, h := range s.recent {
		if h|1 == hashMessage(e.MessageID, true) {
			after = i + 1
		}
	}
	if after < 0 {
		return
	}
	byCustomer := 0
	for _, h := range s.recent[after:] {
		byCustomer += int(h & 1)
	}
	if e.Reader.Type == events.ActorCustomer {
		s.UnreadByCustomer = min(s.UnreadByCustomer, len(s.recent)-after-byCustomer)
		return
	}
	s.UnreadByDesk = min(s.UnreadByDesk, byCustomer)
}

func (s *state) tag(tag string) {
	if i, has := slices.BinarySearch(s.Tags, tag); !has {
		s.Tags = slices.Insert(slices.Clone(s.Tags), i, tag)
	}
}

func (s *state) close() {
	s.Status, s.SnoozedUntil, s.WaitingSince = events.StatusClosed, nil, nil
}

// preview is the beginning of a text, in one line.
func preview(text string) string {
	const enough = PreviewLength * utf8.UTFMax * 2 // bytes to look at: a text may be long, and much of it blank
	if len(text) > enough {
		text = text[:enough] // a character that is cut here is past the preview, or is replaced
	}
	text = strings.Join(strings.Fields(pgtext.Clean(text)), " ")
	n := 0
	for i := range text {
		if n == PreviewLength {
			return text[:i]
		}
		n++
	}
	return text
}

func hashMessage(id string, byCustomer bool) int64 {
	h := hash(id) &^ 1
	if byCustomer {
		h |= 1
	}
	return h
}

// tagKey is what the tag index holds: tags of one org, in eight bytes, however long.
func tagKey(org, tag string) int64 { return hash(org, tag) }

func hash(parts ...string) int64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	var b [8]byte
	return int64(binary.BigEndian.Uint64(h.Sum(b[:0]))) //nolint:gosec // a hash: any of the 64 bits may be set
}

package events

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Event is one fact. Its type string is what stands in the log.
type Event interface{ EventType() string }

// Actor is who did it.
type Actor struct {
	Type string `json:"type"` // one of the Actor… constants
	ID   string `json:"id,omitempty"`
}

// The types of actor.
const (
	ActorCustomer = "customer"
	ActorAgent    = "agent"
	ActorRouting  = "routing"
	ActorWorkflow = "workflow"
	ActorImport   = "import"
	ActorSystem   = "system"
)

func (a Actor) String() string {
	if a.ID == "" {
		return a.Type
	}
	return a.Type + ":" + a.ID
}

// ParseActor reads what String wrote.
func ParseActor(s string) Actor {
	t, id, _ := strings.Cut(s, ":")
	return Actor{Type: t, ID: id}
}

// Metadata is all that an envelope says besides the fact itself.
type Metadata struct {
	ID          string    // of this event
	Time        time.Time // when it happened; an imported message keeps its own time
	Command     string    // id of the command that made it
	Digest      string    // of that command's content: the same id with another digest is a mistake
	Actor       Actor
	Depth       int    // how many automations deep: 0 for people
	Cause       uint64 // sequence of the event that led to it; 0 for none
	Traceparent string
	Revision    uint64 // number of this event within its aggregate, from 1
}

// Draft is an event that was decided and is not yet in the log.
type Draft struct {
	Metadata
	Event Event
}

// Recorded is an event of the log.
type Recorded struct {
	Metadata
	Aggregate
	Partition int
	Sequence  uint64    // of the stream: the position
	Stored    time.Time // when the log took it
	Before    Trail     // where the aggregate's events before this one are
	Size      int       // bytes of its body
	Event     Event     // Unknown when its type or body cannot be read
}

// Unknown stands for an event whose type this binary does not know, or whose body does not decode. It is
// never skipped: a consumer that needs its aggregate parks it.
type Unknown struct {
	Type   string
	Reason string
	Body   []byte
}

// EventType is the type as written in the log.
func (u Unknown) EventType() string { return u.Type }

// Header is the headers of a message of the log.
type Header = map[string][]string

// The headers of an envelope: CloudEvents 1.0 binary mode and Tidemark's extension attributes.
const (
	headerSpec     = "ce-specversion"
	headerID       = "ce-id"
	headerType     = "ce-type"
	headerSource   = "ce-source"
	headerTime     = "ce-time"
	headerSubject  = "ce-subject"
	headerContent  = "content-type"
	headerCommand  = "ce-command"
	headerDigest   = "ce-commanddigest"
	headerActor    = "ce-actor"
	headerDepth    = "ce-depth"
	headerCause    = "ce-cause"
	headerRevision = "ce-revision"
	headerBefore   = "ce-before"
	headerTrace    = "traceparent"
)

// NewID makes an id for an event or an aggregate: a UUIDv7, so that ids sort by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// ErrEnvelope is returned for a draft that could not be read again as it was meant.
var ErrEnvelope = errors.New("not an envelope")

// Encode writes a draft as headers and body. It refuses what Decode would not give back: a header with control characters or
// blanks around it, a time that has no text, an event of another kind of aggregate.
func Encode(a Aggregate, d Draft) (Header, []byte, error) {
	eventType := d.Event.EventType()
	if misplaced(a.Kind, eventType) {
		return nil, nil, fmt.Errorf("%w: %s in the history of %s %s", ErrEnvelope, eventType, a.Kind, a.ID)
	}
	if y := d.Time.UTC().Year(); y < 0 || y > 9999 {
		return nil, nil, fmt.Errorf("%w: %s in the year %d", ErrEnvelope, eventType, y)
	}
	body, err := json.Marshal(d.Event)
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", eventType, err)
	}
	h := make(Header, 14)
	set := func(key, value string) {
		if value != "" {
			h[key] = []string{value}
		}
	}
	set(headerSpec, "1.0")
	set(headerID, d.ID)
	set(headerType, eventType)
	set(headerSource, "/tidemark/"+a.Org)
	set(headerSubject, string(a.Kind)+"/"+a.ID)
	set(headerTime, d.Time.UTC().Format(time.RFC3339Nano))
	set(headerContent, "application/json")
	set(headerCommand, d.Command)
	set(headerDigest, d.Digest)
	set(headerActor, d.Actor.String())
	if d.Depth > 0 {
		set(headerDepth, strconv.Itoa(d.Depth))
	}
	if d.Cause > 0 {
		set(headerCause, strconv.FormatUint(d.Cause, 10))
	}
	set(headerRevision, strconv.FormatUint(d.Revision, 10))
	set(headerTrace, d.Traceparent)
	for key, v := range h {
		if !plain(v[0]) {
			return nil, nil, fmt.Errorf("%w: %s: header %s has control characters or blanks around it", ErrEnvelope, eventType, key)
		}
	}
	return h, body, nil
}

// plain tells whether a header's value comes back as it was written.
func plain(s string) bool {
	return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Decode reads a message of the log. It does not fail on what it cannot read: the event is Unknown then. Only a
// subject that is not Tidemark's is an error.
func Decode(subject string, sequence uint64, stored time.Time, h Header, body []byte) (Recorded, error) {
	a, partition, err := ParseSubject(subject)
	if err != nil {
		return Recorded{}, err
	}
	get := func(key string) string {
		if v := h[key]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	r := Recorded{
		Aggregate: a, Partition: partition, Sequence: sequence, Stored: stored, Size: len(body),
		Before: parseTrail(get(headerBefore), sequence),
		Metadata: Metadata{
			ID: get(headerID), Command: get(headerCommand), Digest: get(headerDigest),
			Actor: ParseActor(get(headerActor)), Traceparent: get(headerTrace),
		},
	}
	bad := func(key string, err error) {
		if r.Event == nil {
			r.Event = Unknown{Type: get(headerType), Reason: fmt.Sprintf("header %s: %v", key, err), Body: body}
		}
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, get(headerTime)); err != nil {
		bad(headerTime, err)
	}
	if r.Revision, err = strconv.ParseUint(get(headerRevision), 10, 64); err != nil {
		bad(headerRevision, err)
	}
	if s := get(headerDepth); s != "" {
		if r.Depth, err = strconv.Atoi(s); err != nil || r.Depth < 0 {
			bad(headerDepth, cmp.Or(err, ErrEnvelope))
		}
	}
	if s := get(headerCause); s != "" {
		if r.Cause, err = strconv.ParseUint(s, 10, 64); err != nil {
			bad(headerCause, err)
		}
	}
	if misplaced(a.Kind, get(headerType)) {
		bad(headerType, fmt.Errorf("%w: it stands in the history of kind %s", ErrEnvelope, a.Kind))
	}
	if r.Event == nil {
		r.Event = decodeBody(get(headerType), body)
	}
	return r, nil
}

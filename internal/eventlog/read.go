package eventlog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
)

const (
	subjectDirect = "$JS.API.DIRECT.GET." + streamName
	subjectLeader = "$JS.API.STREAM.MSG.GET." + streamName
	pageEvents    = 1000
	commandEvents = 16      // most commands make one or two
	pageBytes     = 2 << 20 // an answer may be larger by one event
)

type getRequest struct {
	Sequence uint64   `json:"seq,omitempty"`
	Next     string   `json:"next_by_subj,omitempty"`
	Last     string   `json:"last_by_subj,omitempty"`
	Multi    []string `json:"multi_last,omitempty"`
	Batch    int      `json:"batch,omitempty"`
	MaxBytes int      `json:"max_bytes,omitempty"`
}

// page is some events of a filter in order. Complete says that, when it was read, there was no later one.
type page struct {
	events   []events.Recorded
	complete bool
}

// Read returns all events of the aggregate with a sequence beyond after.
func (l *Log) Read(ctx context.Context, a events.Aggregate, after uint64) ([]events.Recorded, error) {
	return l.since(ctx, a, after, trailEvents)
}

// since is Read, along the trail for so many events at most.
func (l *Log) since(ctx context.Context, a events.Aggregate, after uint64, most int) ([]events.Recorded, error) {
	last, found, err := l.Last(ctx, a)
	if err != nil || !found || last.Sequence <= after {
		return nil, err
	}
	past, err := l.past(ctx, last, after, most)
	return append(past, last), err
}

// Last is the newest event of the aggregate.
func (l *Log) Last(ctx context.Context, a events.Aggregate) (last events.Recorded, found bool, err error) {
	if !a.Valid() {
		return last, false, fmt.Errorf("read %s: %w", a, events.ErrSubject)
	}
	if err := l.usable(); err != nil {
		return last, false, err
	}
	last, found, err = l.newestOf(ctx, a.Subject(l.partitions))
	if err != nil {
		return last, false, fmt.Errorf("read %s: %w", a, err)
	}
	return last, found, nil
}

// At is the event at a sequence. There may be none: it was erased, or nothing has that sequence yet.
func (l *Log) At(ctx context.Context, sequence uint64) (e events.Recorded, found bool, err error) {
	if err := l.usable(); err != nil || sequence == 0 {
		return e, false, err
	}
	if e, found = l.blocks.peek(sequence); found {
		return e, true, nil
	}
	e, found, err = l.at(ctx, sequence)
	if err != nil {
		return e, false, fmt.Errorf("read the event at %d: %w", sequence, err)
	}
	return e, found, nil
}

// Past returns the events of r's aggregate with a sequence beyond after and before r's own.
func (l *Log) Past(ctx context.Context, r events.Recorded, after uint64) ([]events.Recorded, error) {
	return l.past(ctx, r, after, trailEvents)
}

func (l *Log) past(ctx context.Context, r events.Recorded, after uint64, most int) ([]events.Recorded, error) {
	newest, from, err := l.followTrail(ctx, r, after, most)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.Aggregate, err)
	}
	if from <= after+1 {
		return newest, nil
	}
	older, err := l.read(ctx, r.Aggregate, after, pageEvents, func(page []events.Recorded) bool { return page[len(page)-1].Sequence >= from })
	if n := slices.IndexFunc(older, func(e events.Recorded) bool { return e.Sequence >= from }); n >= 0 {
		older = older[:n]
	}
	return append(older, newest...), err
}

// ReadCommand returns the events of the aggregate from sequence first on that one command made: those of one append,
// which stand together. It reads little more than these.
func (l *Log) ReadCommand(ctx context.Context, a events.Aggregate, first uint64, command string) ([]events.Recorded, error) {
	other := func(r events.Recorded) bool { return r.Command != command }
	all, err := l.read(ctx, a, first-1, commandEvents, func(page []events.Recorded) bool { return slices.ContainsFunc(page, other) })
	if n := slices.IndexFunc(all, other); n >= 0 {
		all = all[:n:n]
	}
	return all, err
}

// read reads page by page until the end, or until one is enough.
func (l *Log) read(ctx context.Context, a events.Aggregate, after uint64, limit int, enough func(page []events.Recorded) bool) ([]events.Recorded, error) {
	if !a.Valid() {
		return nil, fmt.Errorf("read %s: %w", a, events.ErrSubject)
	}
	if err := l.usable(); err != nil {
		return nil, err
	}
	subject := a.Subject(l.partitions)
	var all []events.Recorded
	for {
		p, err := l.page(ctx, subject, after+1, limit, pageBytes)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", subject, err)
		}
		all = append(all, p.events...)
		if p.complete || enough(p.events) {
			return all, nil
		}
		after = p.events[len(p.events)-1].Sequence
	}
}

// page reads up to limit events of the filter (empty: any) from sequence from on. A page that is not complete has at least one
// event.
func (l *Log) page(ctx context.Context, filter string, from uint64, limit, maxBytes int) (page, error) {
	p, err := l.directPage(ctx, filter, from, limit, maxBytes)
	if err != nil || !p.complete || !l.replicated {
		return p, err
	}
	// A replica that lags believes that it has given everything; the leader knows.
	if n := len(p.events); n > 0 {
		from = p.events[n-1].Sequence + 1
	}
	e, found, err := l.leaderNext(ctx, filter, from)
	if err != nil {
		return page{}, err
	}
	if found {
		p.events = append(p.events, e)
		p.complete = false
	}
	return p, nil
}

// directPage asks any replica.
func (l *Log) directPage(ctx context.Context, filter string, from uint64, limit, maxBytes int) (page, error) {
	var p page
	if filter == "" {
		p.events = make([]events.Recorded, 0, min(limit, windowEvents)) // most of the log is where it is asked for
	}
	ask := getRequest{Sequence: max(1, from), Next: filter, Batch: limit, MaxBytes: maxBytes}
	again := func() { p = page{events: p.events[:0]} }
	err := l.requests.ask(ctx, subjectDirect, ask, again, func(m *nats.Msg) (bool, error) {
		switch status := m.Header.Get(headerStatus); status {
		case "":
			e, err := decodeStored(m)
			if err == nil {
				p.events = append(p.events, e)
			}
			return false, err
		case statusEndOfBatch:
			pending, err := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
			// The server counts what is pending while others write: an empty page is always the end.
			p.complete = pending == 0 || len(p.events) == 0
			return true, err
		case statusNotFound:
			p.complete = true
			return true, nil
		default:
			return true, &apiError{Description: status + " " + m.Header.Get("Description")}
		}
	})
	return p, err
}

// leaderNext asks the stream's leader for the first event of the filter from sequence from on.
func (l *Log) leaderNext(ctx context.Context, filter string, from uint64) (events.Recorded, bool, error) {
	if filter == "" {
		filter = subjectAll
	}
	return l.leaderGet(ctx, getRequest{Sequence: max(1, from), Next: filter})
}

func (l *Log) leaderGet(ctx context.Context, ask getRequest) (e events.Recorded, found bool, err error) {
	err = l.requests.ask(ctx, subjectLeader, ask, func() {}, func(m *nats.Msg) (bool, error) {
		var answer struct {
			Message *struct {
				Subject  string    `json:"subject"`
				Sequence uint64    `json:"seq"`
				Header   string    `json:"hdrs"`
				Data     []byte    `json:"data"`
				Time     time.Time `json:"time"`
			} `json:"message"`
			Error *apiError `json:"error"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			return true, fmt.Errorf("read the leader's answer: %w", err)
		}
		if answer.Error != nil {
			if answer.Error.ErrCode == codeNoMessageFound {
				return true, nil
			}
			return true, answer.Error
		}
		raw, err := base64.StdEncoding.DecodeString(answer.Message.Header)
		if err != nil {
			return true, fmt.Errorf("read the leader's answer: %w", err)
		}
		var header nats.Header
		if len(raw) > 0 {
			if header, err = nats.DecodeHeadersMsg(raw); err != nil {
				return true, fmt.Errorf("read the leader's answer: %w", err)
			}
		}
		e, err = decode(answer.Message.Subject, answer.Message.Sequence, answer.Message.Time, events.Header(header), answer.Message.Data)
		found = err == nil
		return true, err
	})
	return e, found, err
}

// lastOf returns the last sequence of each of the subjects that has any event, from any replica. At most 1,000 subjects.
func (l *Log) lastOf(ctx context.Context, subjects []string) (map[string]uint64, error) {
	last := make(map[string]uint64, len(subjects))
	err := l.requests.ask(ctx, subjectDirect, getRequest{Multi: subjects}, func() { clear(last) }, func(m *nats.Msg) (bool, error) {
		switch status := m.Header.Get(headerStatus); status {
		case "":
			sequence, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
			last[m.Header.Get("Nats-Subject")] = sequence
			return false, err
		case statusEndOfBatch, statusNotFound:
			return true, nil
		default:
			return true, &apiError{Description: status + " " + m.Header.Get("Description")}
		}
	})
	return last, err
}

// decodeStored reads a message that the server gave back or republished, with its place in headers.
func decodeStored(m *nats.Msg) (events.Recorded, error) {
	sequence, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return events.Recorded{}, fmt.Errorf("sequence of a stored event: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return events.Recorded{}, fmt.Errorf("time of stored event %d: %w", sequence, err)
	}
	return decode(m.Header.Get("Nats-Subject"), sequence, stored, events.Header(m.Header), m.Data)
}

// decode is events.Decode, but for messages on subjects that are none of ours: somebody else wrote them into the stream.
// They have a sequence, and so a place among the events, but they are of no kind, no org and no partition.
func decode(subject string, sequence uint64, stored time.Time, header events.Header, body []byte) (events.Recorded, error) {
	e, err := events.Decode(subject, sequence, stored, header, body)
	if errors.Is(err, events.ErrSubject) {
		return events.Recorded{
			Partition: foreign, Sequence: sequence, Stored: stored, Size: len(body),
			Event: events.Unknown{Reason: "its subject is not of this log"},
		}, nil
	}
	return e, err
}

// foreign is the partition of what is not ours.
const foreign = -1

// Sync returns once Head covers every event that was acknowledged before the call, by any process. Head follows the
// live feed, which may lag under load; whoever must account for every event asks the log itself first.
func (l *Log) Sync(ctx context.Context) error {
	info, err := l.streamInfo(ctx)
	if err != nil {
		return ErrUnavailable.WithCause(fmt.Errorf("find the end of the log: %w", err))
	}
	if last := info.State.LastSeq; last > 0 {
		return l.Wait(ctx, last-1)
	}
	return nil
}

package importer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/intake"
)

const (
	workers = 64  // conversations that are written at a time, so that the log can store them together
	part    = 500 // messages that are written together; the log takes 1,000 events in a batch

	// A conflict says that others keep changing the same customer or conversation, and nothing about a line.
	conflictTries = 4
	conflictPause = 50 * time.Millisecond
)

// Totals counts what an import did.
type Totals struct {
	Created   int `json:"created"`   // conversations that were not there
	Extended  int `json:"extended"`  // conversations that have more messages now
	Unchanged int `json:"unchanged"` // conversations that were there as they are
	Messages  int `json:"messages"`  // that were added
	Customers int `json:"customers"` // that were not known
}

// Add adds another count.
func (t *Totals) Add(o Totals) {
	t.Created += o.Created
	t.Extended += o.Extended
	t.Unchanged += o.Unchanged
	t.Messages += o.Messages
	t.Customers += o.Customers
}

// Rejected is a line that cannot be imported as it is.
type Rejected struct {
	Line  int // from 1
	Fault *fault.Fault
}

// Report is what came of some lines.
type Report struct {
	Totals
	Rejected []Rejected
	Position events.Position // of the newest event
}

// Intake is what opens conversations.
type Intake interface {
	Open(ctx context.Context, org string, m command.Meta, r intake.Request) (intake.Opened, error)
}

// Importer imports lines.
type Importer struct{ intake Intake }

// New makes an Importer.
func New(i Intake) *Importer { return &Importer{i} }

// Import writes each line's conversation, many lines at a time: up to 500 messages in one atomic batch, and a longer
// one in several, in order. A line that cannot be kept is in the report, and one that is wrong in itself leaves nothing in
// the log; an error says that the import had to stop, and can be repeated from the start. Empty lines are passed over.
func (i *Importer) Import(ctx context.Context, org string, lines [][]byte) (Report, error) {
	var mu sync.Mutex
	var report Report
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for n, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		group.Go(func() error {
			written, position, err := i.line(ctx, org, line)
			mu.Lock()
			defer mu.Unlock()
			if f, ok := errors.AsType[*fault.Fault](err); ok && aboutTheLine(f) {
				report.Rejected = append(report.Rejected, Rejected{Line: n + 1, Fault: f})
				return nil
			}
			if err != nil {
				return err
			}
			report.Add(written)
			if position.Sequence > report.Position.Sequence {
				report.Position = position
			}
			return nil
		})
	}
	err := group.Wait()
	slices.SortFunc(report.Rejected, func(a, b Rejected) int { return a.Line - b.Line })
	return report, err
}

// aboutTheLine tells whether another try of the same line would end the same way.
func aboutTheLine(f *fault.Fault) bool {
	if errors.Is(f, command.ErrConflict) {
		return false
	}
	return f.Kind == fault.Invalid || f.Kind == fault.Conflict || f.Kind == fault.NotFound
}

// line writes one conversation, and tells what that added and where its last event stands.
func (i *Importer) line(ctx context.Context, org string, line []byte) (Totals, events.Position, error) {
	r, err := Parse(line)
	if err != nil {
		return Totals{}, events.Position{}, err
	}
	var all Totals
	var last events.Position
	for from := 0; from < len(r.Messages); from += part {
		opened, err := i.open(ctx, org, r.cut(from, min(from+part, len(r.Messages))), from)
		if err != nil {
			return Totals{}, events.Position{}, err
		}
		added := count(opened)
		all.Created, all.Messages, all.Customers = all.Created+added.Created, all.Messages+added.Messages, all.Customers+added.Customers
		last = opened.Position
	}
	switch {
	case all.Created > 0:
	case all.Messages > 0:
		all.Extended = 1
	default:
		all.Unchanged = 1
	}
	return all, last, nil
}

// open writes some messages of a conversation, of which the first is the message number first of the record.
func (i *Importer) open(ctx context.Context, org string, r Record, first int) (intake.Opened, error) {
	// The command is this very content: a record that has grown since is another command on the same conversation. What
	// the file calls an id may be any text, and a command's id has to fit into a header.
	meta := command.Meta{
		ID:    command.DeriveID("import", org, r.ID, strconv.Itoa(first), command.Digest(r)),
		Actor: events.Actor{Type: events.ActorImport},
		At:    r.Messages[0].At,
	}
	q := r.request(org, first)
	for try := 1; ; try++ {
		opened, err := i.intake.Open(ctx, org, meta, q)
		if !errors.Is(err, command.ErrConflict) || try == conflictTries {
			return opened, err
		}
		pause := time.NewTimer(time.Duration(try) * conflictPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return intake.Opened{}, context.Cause(ctx)
		case <-pause.C:
		}
	}
}

// cut is the record with some of its messages.
func (r Record) cut(from, upto int) Record {
	r.Messages = r.Messages[from:upto]
	return r
}

// request opens the conversation of the record. Its first message is the message number first of the conversation.
func (r Record) request(org string, first int) intake.Request {
	conversation := command.DeriveID("import", org, r.ID)
	q := intake.Request{
		ConversationID: conversation,
		Channel:        r.Channel,
		Subject:        r.Subject,
		Customer: intake.Customer{
			Name: r.Customer.Name, Email: r.Customer.Email, Phone: r.Customer.Phone, ExternalID: r.Customer.ExternalID,
		},
	}
	if q.Subject == "" {
		q.Subject = r.Company
	}
	switch r.Channel {
	case events.ChannelX:
		q.Customer.X = r.Customer.Handle
	case events.ChannelFacebook:
		q.Customer.Facebook = r.Customer.Handle
	default: // Parse has refused a handle
	}
	messages := make([]intake.Message, len(r.Messages))
	for n, m := range r.Messages {
		messages[n] = intake.Message{ID: command.DeriveID("import", conversation, strconv.Itoa(first+n)), Text: m.Text, At: m.At}
		if m.From == fromAgent {
			messages[n].Author = events.Actor{Type: events.ActorImport} // which agent it was is not in the file
		}
	}
	q.Message, q.More = messages[0], messages[1:]
	return q
}

// count tells what one batch added.
func count(o intake.Opened) Totals {
	var t Totals
	if o.Replayed {
		return t
	}
	for _, r := range o.Events {
		switch r.Event.(type) {
		case events.ConversationOpened:
			t.Created = 1
		case events.ConversationMessageReceived, events.ConversationMessageWritten:
			t.Messages++
		case events.CustomerCreated:
			t.Customers++
		}
	}
	return t
}

package importer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/intake"
)

// workers is how many conversations are written at a time, so that the log can store them together.
const workers = 64

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

// Import writes each line's conversation in one atomic batch, many lines at a time. A line that is wrong is in the
// report; an error says that the import had to stop, and can be repeated from the start. Empty lines are passed over.
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
			opened, err := i.line(ctx, org, line)
			mu.Lock()
			defer mu.Unlock()
			if f, ok := errors.AsType[*fault.Fault](err); ok && aboutTheLine(f) {
				report.Rejected = append(report.Rejected, Rejected{Line: n + 1, Fault: f})
				return nil
			}
			if err != nil {
				return err
			}
			report.Add(count(opened))
			if opened.Position.Sequence > report.Position.Sequence {
				report.Position = opened.Position
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
	return f.Kind == fault.Invalid || f.Kind == fault.Conflict || f.Kind == fault.NotFound
}

func (i *Importer) line(ctx context.Context, org string, line []byte) (intake.Opened, error) {
	r, err := Parse(line)
	if err != nil {
		return intake.Opened{}, err
	}
	// The command is this very content: a record that has grown since is another command on the same conversation.
	digest := command.Digest(r)
	meta := command.Meta{
		ID:    "import:" + r.ID + ":" + digest,
		Actor: events.Actor{Type: events.ActorImport},
		At:    r.Messages[0].At,
	}
	return i.intake.Open(ctx, org, meta, r.request(org))
}

func (r Record) request(org string) intake.Request {
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
		messages[n] = intake.Message{ID: command.DeriveID("import", conversation, strconv.Itoa(n)), Text: m.Text, At: m.At}
		if m.From == fromAgent {
			messages[n].Author = events.Actor{Type: events.ActorImport} // which agent it was is not in the file
		}
	}
	q.Message, q.More = messages[0], messages[1:]
	return q
}

// count tells what a conversation's batch added.
func count(o intake.Opened) Totals {
	var t Totals
	if o.Replayed || len(o.Events) == 0 {
		t.Unchanged = 1
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
	switch {
	case t.Created > 0:
	case t.Messages > 0:
		t.Extended = 1
	default:
		t.Unchanged = 1
	}
	return t
}

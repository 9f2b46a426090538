// Package ledger proves that nothing disappears: it holds what the log accepted against what each read model shows, for
// one org, by channel and window, and names every conversation and every customer for which the two differ.
//
// The log is folded up to a head that is fixed first (fold.go); the models are waited for until they have applied all of
// it; what they show is compared with the fold (compare.go), which is pure. A model that is not that far is reported as
// behind, never as a hole. For each channel and each model: accepted = shown + excused + missing. Customers have no channel
// and an account of their own (people.go). So have surveys (surveys.go): each closing of a chat that owed one was asked about
// or excused, and what was asked will end.
//
// Deliveries have no events yet. Once they do, the messages that the desk wrote are split further: accepted = delivered +
// failed + held + in flight, which is one more state of a message in the fold and one more side of a row. The package
// knows no read model; those who wire it say how each is asked.
package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// Question is what the account is of.
type Question struct {
	Org      string
	From, To time.Time      // [From, To) by when the log stored the event; zero: no bound
	Channel  events.Channel // empty: every channel
	Models   []string       // empty: every model
}

// Ask is what a model is asked for.
type Ask struct {
	Org            string
	After, Through uint64   // the window as sequences: (After, Through]
	IDs            []string // of the conversations that matter; a model may give others too
}

// Shown is what a model shows of one conversation, or of one customer.
type Shown struct {
	ID              string
	Messages, Notes uint64 // of a conversation
	// Sequence of the last event that the model has applied to it, as far as it knows.
	Sequence uint64
	// Ranged says that Messages and Notes are those of the window alone. Otherwise they are all up to Sequence.
	Ranged bool
}

// Model is one read model.
type Model interface {
	Name() string
	// Of is what it shows: events.KindConversation or events.KindCustomer.
	Of() events.Kind
	// Await returns once all events up to a sequence in each partition are applied or parked. Any error but the
	// context's own means that the model is behind.
	Await(ctx context.Context, through []uint64, longest time.Duration) error
	// Lag is how far it is behind, for the report.
	Lag(ctx context.Context) (projections.AsOf, error)
	// Shown hands over what the model shows, each conversation or customer once, in any order.
	Shown(ctx context.Context, ask Ask, fn func(Shown)) error
	// Parked lists the keys that wait for an operator, of any org.
	Parked(ctx context.Context) ([]projections.Parked, error)
}

// Log is what the ledger reads.
type Log interface {
	Incarnation() string
	Partitions() int
	Sync(ctx context.Context) error // until Head covers all that was acknowledged before
	Head() uint64
	Block(ctx context.Context, from uint64) (projections.Block, error)
}

// Ledger draws up accounts.
type Ledger struct {
	Log    Log
	Models []Model // in the order of the report
	// Surveyor accounts for surveys; nil: nobody does.
	Surveyor Surveyor
	Wait     time.Duration // for a model to reach the head; zero: 5 s
}

// Account holds the log up to now against the models. It reads the whole log once, and keeps some hundred bytes for each
// conversation and customer of the org. Errors: those of the log, and of the context. That a model cannot be asked is part of the
// report.
func (l *Ledger) Account(ctx context.Context, q Question) (Report, error) {
	if err := l.Log.Sync(ctx); err != nil {
		return Report{}, err
	}
	head := l.Log.Head() // before anything is asked of a model
	account := newFold(q, head, l.Log.Partitions())
	if err := l.read(ctx, 1, head, account.add); err != nil {
		return Report{}, fmt.Errorf("read what was accepted: %w", err)
	}
	ask := Ask{Org: q.Org, After: account.after, Through: account.through, IDs: account.asked()}
	var sides []side
	var behind []Behind
	for _, m := range l.models(q) {
		needs := account.needs
		if m.Of() == events.KindCustomer {
			needs = account.known
		}
		s, err := l.ask(ctx, m, needs, ask)
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if err != nil {
			behind = append(behind, l.behind(ctx, m, err))
			continue
		}
		sides = append(sides, s)
	}
	if account.surveyed = l.surveyed(q); account.surveyed {
		var err error
		account.owing, err = l.todo(ctx, account)
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		if err != nil {
			behind = append(behind, l.behind(ctx, l.Surveyor, err))
		}
	}
	// Who was erased since the head was fixed may be gone from some models already, and from the log that was read. And who
	// was about to be asked may have been.
	if err := l.Log.Sync(ctx); err != nil {
		return Report{}, err
	}
	if err := l.read(ctx, head+1, l.Log.Head(), account.addLater); err != nil {
		return Report{}, fmt.Errorf("read who was erased meanwhile: %w", err)
	}
	report := compare(account, sides)
	report.Position = events.Position{Incarnation: l.Log.Incarnation(), Sequence: head}
	report.Behind = behind
	return report, nil
}

// read hands over the log from a sequence up to and with another.
func (l *Ledger) read(ctx context.Context, from, through uint64, fn func(events.Recorded)) error {
	for from <= through {
		b, err := l.Log.Block(ctx, from)
		if err != nil {
			return err
		}
		for _, e := range b.Events {
			if e.Sequence <= through {
				fn(e)
			}
		}
		if b.Next == from { // a replica lags: what the head names is not there yet
			return fault.Newf(fault.Unavailable, "log_unavailable", "the log cannot be read from %d to %d now", from, through).
				WithHint("try again in a moment")
		}
		from = b.Next
	}
	return nil
}

// models are those that a question is for: of a channel, none that shows customers.
func (l *Ledger) models(q Question) []Model {
	var out []Model
	for _, m := range l.Models {
		wanted := len(q.Models) == 0 || slices.Contains(q.Models, m.Name())
		if wanted && (q.Channel == "" || m.Of() != events.KindCustomer) {
			out = append(out, m)
		}
	}
	return out
}

// surveyed tells whether a question is for surveys, too: only chats have any.
func (l *Ledger) surveyed(q Question) bool {
	return l.Surveyor != nil && (q.Channel == "" || q.Channel == events.ChannelChat) &&
		(len(q.Models) == 0 || slices.Contains(q.Models, l.Surveyor.Name()))
}

// patience is how long a model is waited for.
func (l *Ledger) patience() time.Duration { return cmp.Or(l.Wait, 5*time.Second) }

// ask waits for a model and takes down what it shows.
func (l *Ledger) ask(ctx context.Context, m Model, needs []uint64, ask Ask) (side, error) {
	if err := m.Await(ctx, needs, l.patience()); err != nil {
		return side{}, err
	}
	s := side{model: m.Name(), of: m.Of(), shown: map[string]Shown{}, parked: map[string]projections.Parked{}}
	parked, err := m.Parked(ctx)
	if err != nil {
		return side{}, err
	}
	for _, p := range parked {
		if p.Aggregate.Org == ask.Org {
			s.parked[p.Key()] = p
		}
	}
	return s, m.Shown(ctx, ask, func(row Shown) { s.shown[row.ID] = row })
}

// lagging is whoever may be behind: a model, or the surveyor.
type lagging interface {
	Name() string
	Lag(ctx context.Context) (projections.AsOf, error)
}

// behind says what is known of a model that cannot be compared.
func (l *Ledger) behind(ctx context.Context, m lagging, why error) Behind {
	b := Behind{Model: m.Name(), Problem: "it cannot be asked now", Err: why}
	if f, ok := errors.AsType[*fault.Fault](why); ok {
		b.Problem = f.Message
	}
	if as, err := m.Lag(ctx); err == nil {
		b.LagEvents, b.LagSeconds = as.LagEvents, as.LagSeconds
	}
	return b
}

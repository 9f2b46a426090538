// Package importer brings conversations of another system in: one JSON object a line, oldest message first.
//
// It owns the shape of such files and the promise that importing twice adds nothing: every id is derived from the
// ids in the file, so a file can be imported again after a crash, or after it has grown. Messages keep their own
// times. A line that cannot be imported is reported and never stops the others.
//
// It must not touch any read model: what it writes goes through the command loop like everything else.
package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// Record is one conversation of a file.
type Record struct {
	ID       string         `json:"id"` // unique within the org's imports
	Channel  events.Channel `json:"channel"`
	Company  string         `json:"company"` // becomes the subject when there is none
	Subject  string         `json:"subject"`
	Customer Customer       `json:"customer"`
	Messages []Message      `json:"messages"`
}

// Customer is who wrote; whatever identifies them must be unique to them.
type Customer struct {
	Name       string `json:"name"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	Handle     string `json:"handle"` // on X or Facebook, by the record's channel
	ExternalID string `json:"external_id"`
}

// Message is one message.
type Message struct {
	At   time.Time `json:"at"`
	From string    `json:"from"` // customer or agent
	Text string    `json:"text"`
}

// Who may have written a message.
const (
	fromCustomer = "customer"
	fromAgent    = "agent"
)

// Parse reads one line. What is wrong with it is a fault that names every problem.
func Parse(line []byte) (Record, error) {
	var r Record
	decoder := json.NewDecoder(bytes.NewReader(line))
	if err := decoder.Decode(&r); err != nil {
		return Record{}, fault.New(fault.Invalid, "line_not_json", "not a JSON object of the import's shape").WithCause(err)
	}
	if decoder.More() {
		return Record{}, fault.New(fault.Invalid, "line_not_json", "more than one JSON value on the line")
	}
	if problems := r.problems(); len(problems) > 0 {
		return Record{}, fault.New(fault.Invalid, "line_invalid", strings.Join(problems, "; "))
	}
	return r, nil
}

func (r Record) problems() []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if n := utf8.RuneCountInString(r.ID); n == 0 || n > 200 || strings.ContainsFunc(r.ID, unicode.IsControl) {
		bad("id must have 1 to 200 characters, and no control characters")
	}
	if !slices.Contains(events.Channels, r.Channel) {
		bad("channel %q is none of %v", r.Channel, events.Channels)
	}
	if r.Customer == (Customer{}) {
		bad("customer has neither a name nor anything that identifies them")
	}
	if r.Customer.Handle != "" && r.Channel != events.ChannelX && r.Channel != events.ChannelFacebook {
		bad("customer.handle goes with channel x or facebook, not %q", r.Channel)
	}
	if len(r.Messages) == 0 {
		bad("messages is empty")
	}
	for i, m := range r.Messages {
		if m.From != fromCustomer && m.From != fromAgent {
			bad("messages[%d].from %q is neither customer nor agent", i, m.From)
		}
		switch year := m.At.UTC().Year(); {
		case m.At.IsZero():
			bad("messages[%d].at is missing", i)
		case year < 1 || year > 9999:
			bad("messages[%d].at is in the year %d in UTC: 1 to 9999 can be kept", i, year)
		}
		if i > 0 && m.At.Before(r.Messages[i-1].At) {
			bad("messages[%d].at is before the message above it: messages must be oldest first", i)
		}
		// The aggregate would refuse it too, but perhaps only when the beginning of the conversation has been written.
		if f, ok := errors.AsType[*fault.Fault](text.Body(fmt.Sprintf("messages[%d].text", i), m.Text)); ok {
			bad("%s", f.Message)
		}
	}
	return out
}

package search

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tidemark-desk/tidemark/events"
)

// Fields are the properties that field:value can ask for.
var Fields = []string{"status", "queue", "assignee", "tag", "channel", "priority", "customer", FieldEmail, fieldHas, fieldBefore, fieldAfter}

// Fields that engines do not have of conversations.
const (
	FieldEmail   = "email"   // of the customer: put in terms of "customer" before an engine is asked
	FieldAddress = "address" // of a customer: Address
)

// The fields that are more than a property of the same name.
const (
	fieldHas    = "has"
	fieldBefore = "before" // last changed before
	fieldAfter  = "after"  // last changed then or later
)

// What a conversation can have.
const (
	HasAttachment = "attachment"
	HasNote       = "note"
	HasAssignee   = "assignee"
	HasQueue      = "queue"
	HasTag        = "tag"
)

// Has is what the conversation has, as has: asks for it.
func (d *Document) Has() []string {
	var out []string
	for _, what := range []struct {
		name string
		has  bool
	}{
		{HasAttachment, d.Attached},
		{HasNote, len(d.Notes) > 0},
		{HasAssignee, d.Assignee != ""},
		{HasQueue, d.Queue != ""},
		{HasTag, len(d.Tags) > 0},
	} {
		if what.has {
			out = append(out, what.name)
		}
	}
	return out
}

// none is the value of a queue or an assignee that is not there.
const none = "none"

// field reads "name:" when it stands here. "re: invoice", "10:30" and "https://…" are text; a name that looks like
// a field and is none is a mistake that is better told than searched for.
func (p *parser) field() (string, error) {
	end := p.at
	for end < len(p.in) && (unicode.IsLetter(p.in[end]) || p.in[end] == '_') {
		end++
	}
	if end == p.at || end == len(p.in) || p.in[end] != ':' {
		return "", nil
	}
	name := strings.ToLower(string(p.in[p.at:end]))
	if slices.Contains(Fields, name) {
		p.at = end + 1
		return name, nil
	}
	if next := end + 1; next == len(p.in) || unicode.IsSpace(p.in[next]) || p.in[next] == '/' || p.in[next] == ')' {
		return "", nil
	}
	return "", invalid(p.at+1, "there is no field %q; there are %s; put quotes around it to find it as text", name, strings.Join(Fields, ", "))
}

// value checks what stands behind a field, and makes of it what engines look for.
func value(c Clause, at int, quoted bool) (Clause, error) {
	var known []string
	switch c.Field {
	case "status":
		known = []string{string(events.StatusOpen), string(events.StatusSnoozed), string(events.StatusClosed)}
	case "priority":
		known = names(events.Priorities)
	case "channel":
		known = names(events.Channels)
	case fieldHas:
		known = []string{HasAttachment, HasNote, HasAssignee, HasQueue, HasTag}
	case "tag":
		c.Text = strings.ToLower(c.Text)
	case "queue", "assignee":
		if c.Text == none && !quoted {
			c.Field, c.Text, c.Not = fieldHas, c.Field, !c.Not
		}
	case fieldBefore, fieldAfter:
		t, ok := moment(c.Text)
		if !ok {
			return c, invalid(at, "%s is a date such as 2026-01-31, or a time such as 2026-01-31T14:00:00Z", c.Field)
		}
		c.Time = t
	}
	if known != nil && !slices.Contains(known, c.Text) {
		return c, invalid(at, "%s is one of %s", c.Field, strings.Join(known, ", "))
	}
	return c, nil
}

// moment reads a date, which begins at midnight in UTC, or a time.
func moment(text string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func names[S ~string](in []S) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}

// asksOf is the first clause, at any depth, that asks for a field with that value; nil when there is none.
func asksOf(list []Clause, field, value string) *Clause {
	for i, c := range list {
		if c.Kind == Field && c.Field == field && c.Text == value {
			return &list[i]
		}
		for _, alternative := range c.Either {
			if found := asksOf(alternative, field, value); found != nil {
				return found
			}
		}
	}
	return nil
}

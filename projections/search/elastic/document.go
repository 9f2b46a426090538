package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	fast "github.com/go-json-experiment/json"
	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// The kinds of document in an index.
const (
	kindConversation = "conversation"
	kindCustomer     = "customer"
	kindGone         = "gone"   // the stub of a conversation of which nothing may be found
	kindErased       = "erased" // the mark that a customer was erased
	kindMerged       = "merged" // the mark that a customer went on in another
	kindState        = "state"  // of a partition
	kindLease        = "lease"  // whose the indexes are
	kindNote         = "note"   // something that is not searched for
)

// document is what the index is told. Texts are indexed and not kept: Kept has the document itself.
type document struct {
	Kind      string          `json:"kind"`
	Org       string          `json:"org,omitempty"`
	ID        string          `json:"id,omitempty"`
	Customer  string          `json:"customer,omitempty"`
	Channel   string          `json:"channel,omitempty"`
	Status    string          `json:"status,omitempty"`
	Priority  string          `json:"priority,omitempty"`
	Queue     string          `json:"queue,omitempty"`
	Assignee  string          `json:"assignee,omitempty"`
	Tag       []string        `json:"tag,omitempty"`
	Has       []string        `json:"has,omitempty"`
	Subject   string          `json:"subject,omitempty"`
	Text      []string        `json:"text,omitempty"`
	Address   []string        `json:"address,omitempty"`
	Notes     []string        `json:"notes,omitempty"`
	Created   *time.Time      `json:"created,omitempty"`
	Updated   *time.Time      `json:"updated,omitempty"`
	UpdatedNS int64           `json:"updated_ns,omitempty"`
	Into      string          `json:"into,omitempty"`
	Kept      json.RawMessage `json:"kept,omitempty"`
}

// The places of documents; '/' cannot be part of an id.
func place(org, id string) string          { return org + "/" + id }
func erasedPlace(c search.Customer) string { return c.Org + "//" + c.ID }
func mergedPlace(c search.Customer) string { return c.Org + "///" + c.ID }
func statePlace(partition int) string      { return fmt.Sprintf("/state/%d", partition) }

func notePlace(key string) string { return "/note/" + key }

const leasePlace = "/lease"

// encode is a conversation as the index is told of it.
func encode(d *search.Document) (document, error) {
	kept, err := json.Marshal(d)
	if err != nil {
		return document{}, fmt.Errorf("encode document %s/%s: %w", d.Org, d.ID, err)
	}
	created, updated := representable(d.Created), representable(d.Updated)
	return document{
		Kind: kindOf(d.Kind), Org: d.Org, ID: d.ID, Customer: d.Customer, Channel: d.Channel, Status: d.Status,
		Priority: d.Priority, Queue: d.Queue, Assignee: d.Assignee, Tag: d.Tags, Has: d.Has(), Subject: words.Cut(cmp.Or(d.Subject, d.Name)),
		Text: append(texts(d.Messages), values(d.Identities)...), Address: d.Addresses(), Notes: texts(d.Notes),
		Created: &created, Updated: &updated, UpdatedNS: updated.UnixNano(), Kept: kept,
	}, nil
}

// texts are cut here, so that words end where they do in every engine.
func texts(list []search.Message) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = words.Cut(m.Text)
	}
	return out
}

func values(list []events.Identity) []string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = words.Cut(id.Value)
	}
	return out
}

func kindOf(kind events.Kind) string {
	if kind == events.KindCustomer {
		return kindCustomer
	}
	return kindConversation
}

// The times that nanoseconds in 64 bits can say.
var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

func representable(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t.UTC()
}

// Have reads conversations by their places, also those that no refresh has shown to searches yet.
func (e *Engine) Have(ctx context.Context, list []events.Aggregate) (map[events.Aggregate]*search.Document, error) {
	if len(list) == 0 {
		return nil, nil
	}
	get := e.client.MultiGet()
	for _, a := range list {
		get.Add(es.NewMultiGetItem().Index(e.index).Id(place(a.Org, search.Key(a))))
	}
	res, err := get.Do(ctx)
	if err != nil {
		return nil, e.away("read documents", err)
	}
	out := make(map[events.Aggregate]*search.Document, len(list))
	for i, got := range res.Docs {
		switch {
		case got.Error != nil:
			return nil, e.away("read document "+got.Id, &es.Error{Details: got.Error})
		case !got.Found:
			continue
		}
		doc, err := decode(got.Source)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			out[list[i]] = doc
		}
	}
	return out, nil
}

// source is what is read of a document: the conversation in it.
type source struct {
	Kind string           `json:"kind"`
	Kept *search.Document `json:"kept"`
}

func (s *source) read(raw json.RawMessage) error {
	if err := fast.Unmarshal(raw, s); err != nil {
		return fmt.Errorf("%w: a document does not decode: %w", search.ErrCorrupt, err)
	}
	return nil
}

// document is the conversation; nil when there is none, as in a stub.
func (s *source) document() (*search.Document, error) {
	if s.Kind != kindConversation && s.Kind != kindCustomer {
		return nil, nil //nolint:nilnil // a stub is the absence of a document
	}
	if s.Kept == nil {
		return nil, fmt.Errorf("%w: a document is empty", search.ErrCorrupt)
	}
	return s.Kept, nil
}

// decode is the conversation in a source; nil when it has none.
func decode(raw json.RawMessage) (*search.Document, error) {
	var s source
	if err := s.read(raw); err != nil {
		return nil, err
	}
	return s.document()
}

package bleve

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// The fields of a document. Those that search.Fields names are written under their own names.
const (
	fieldKind    = "kind"    // conversation, or the mark of a customer who was erased or merged
	fieldOrg     = "org"     // every query is confined by it
	fieldSubject = "subject" // text
	fieldText    = "text"    // text, one value per message
	fieldNotes   = "notes"   // text, one value per note
	fieldCreated = "created"
	fieldUpdated = "updated"
	fieldSource  = "source" // the document itself, stored and not indexed
	fieldInto    = "into"   // of a mark: who took over, stored and not indexed
)

const (
	kindConversation = "conversation"
	kindErased       = "erased"
	kindMerged       = "merged"
)

const (
	exactOptions  = index.IndexField // with norms: without them a score is not a number
	textOptions   = index.IndexField | index.IncludeTermVectors
	timeOptions   = index.IndexField | index.DocValues | index.SkipFreqNorm
	sourceOptions = index.StoreField
)

// docID is where a conversation stands in the index; '/' cannot be part of an id.
func docID(org, id string) string { return org + "/" + id }

// erasedID is the place of the mark that a customer was erased.
func erasedID(c search.Customer) string { return c.Org + "//" + c.ID }

// mergedID is the place of the mark that a customer went on in another.
func mergedID(c search.Customer) string { return c.Org + "///" + c.ID }

// ofMark is the customer whose mark stands there.
func ofMark(place string) search.Customer {
	org, id, _ := strings.Cut(place, "//")
	return search.Customer{Org: org, ID: strings.TrimPrefix(id, "/")}
}

// encode prepares a document for a batch.
func encode(d *search.Document) (*document.Document, error) {
	source, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode document %s: %w", d.ID, err)
	}
	out := document.NewDocument(docID(d.Org, d.ID))
	exact := func(name, value string) {
		if value != "" {
			out.AddField(document.NewTextFieldCustom(name, nil, []byte(value), exactOptions, nil))
		}
	}
	text := func(name string, at []uint64, value string) {
		if value != "" {
			out.AddField(document.NewTextFieldCustom(name, at, []byte(value), textOptions, words.Analyzer))
		}
	}
	exact(fieldKind, kindConversation)
	exact(fieldOrg, d.Org)
	exact("status", d.Status)
	exact("queue", d.Queue)
	exact("assignee", d.Assignee)
	exact("channel", d.Channel)
	exact("priority", d.Priority)
	exact("customer", d.Customer)
	for _, tag := range d.Tags {
		exact("tag", strings.ToLower(tag))
	}
	text(fieldSubject, nil, d.Subject)
	for i, m := range d.Messages {
		text(fieldText, []uint64{uint64(i)}, m.Text)
	}
	for i, n := range d.Notes {
		text(fieldNotes, []uint64{uint64(i)}, n.Text)
	}
	for name, t := range map[string]time.Time{fieldCreated: d.Created, fieldUpdated: d.Updated} {
		f, err := document.NewDateTimeFieldWithIndexingOptions(name, nil, representable(t), time.RFC3339Nano, timeOptions)
		if err != nil {
			return nil, fmt.Errorf("encode %s of document %s: %w", name, d.ID, err)
		}
		out.AddField(f)
	}
	out.AddField(document.NewTextFieldCustom(fieldSource, nil, source, sourceOptions, nil))
	return out, nil
}

// representable keeps a time within what the index can order.
func representable(t time.Time) time.Time {
	switch {
	case t.Before(document.MinTimeRepresentable):
		return document.MinTimeRepresentable
	case t.After(document.MaxTimeRepresentable):
		return document.MaxTimeRepresentable
	}
	return t
}

func decode(source []byte) (*search.Document, error) {
	var d search.Document
	if err := json.Unmarshal(source, &d); err != nil {
		return nil, fmt.Errorf("%w: a stored document does not decode: %w", search.ErrCorrupt, err)
	}
	return &d, nil
}

// stored reads a document by its place; nil when there is none.
func stored(r index.IndexReader, id string) (*search.Document, error) {
	doc, err := r.Document(id)
	if err != nil {
		return nil, fmt.Errorf("read document %s: %w", id, err)
	}
	if doc == nil {
		return nil, nil //nolint:nilnil // nothing there is an answer, not a failure
	}
	var source []byte
	doc.VisitFields(func(f index.Field) {
		if f.Name() == fieldSource {
			source = f.Value()
		}
	})
	if source == nil {
		return nil, nil //nolint:nilnil // a mark, not a conversation
	}
	return decode(source)
}

package bleve

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

// The fields of a document. Those that search.Fields names are written under their own names.
const (
	fieldKind    = "kind"    // conversation, the stub of one that is gone, or the mark of a customer who was erased or merged
	fieldScope   = "scope"   // org and kind in one: every query is confined by it
	fieldSubject = "subject" // text
	fieldText    = "text"    // text, one value per message
	fieldNotes   = "notes"   // text, one value per note
	fieldAddress = "address" // of a customer, as wholes
	fieldHas     = "has"     // what of search.Document.Has
	fieldCreated = "created"
	fieldUpdated = "updated"
	fieldSource  = "source" // the document itself, stored and not indexed
	fieldInto    = "into"   // of a mark: who took over, stored and not indexed
)

// exactForm is added to the name of a text: the same with words as they were written, not as stems.
const exactForm = ".exact"

const (
	kindConversation = "conversation"
	kindGone         = "gone"
	kindCustomer     = "customer"
	kindErased       = "erased"
	kindMerged       = "merged"
)

const (
	exactOptions  = index.IndexField // with norms: without them a score is not a number
	facetOptions  = exactOptions | index.DocValues
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

// scope is what one query may find.
func scope(org string, kind events.Kind) string { return org + "/" + kindOf(kind) }

func kindOf(kind events.Kind) string {
	if kind == events.KindCustomer {
		return kindCustomer
	}
	return kindConversation
}

// encode prepares a document for a batch.
func encode(d *search.Document) (*document.Document, error) {
	source, err := pack(d)
	if err != nil {
		return nil, fmt.Errorf("encode document %s: %w", d.ID, err)
	}
	out := document.NewDocument(docID(d.Org, d.Key()))
	exact := func(name, value string) {
		options := exactOptions
		if slices.Contains(search.Facets, name) {
			options = facetOptions
		}
		if value != "" {
			out.AddField(document.NewTextFieldCustom(name, nil, []byte(value), options, nil))
		}
	}
	text := func(name string, at []uint64, value string) {
		if value != "" {
			out.AddField(document.NewTextFieldCustom(name, at, []byte(value), textOptions, words.Stems))
			out.AddField(document.NewTextFieldCustom(name+exactForm, at, []byte(value), textOptions, words.Exact))
		}
	}
	exact(fieldKind, kindOf(d.Kind))
	exact(fieldScope, scope(d.Org, d.Kind))
	for _, address := range d.Addresses() {
		exact(fieldAddress, address)
	}
	exact("status", d.Status)
	exact("queue", d.Queue)
	exact("assignee", d.Assignee)
	exact("channel", d.Channel)
	exact("priority", d.Priority)
	exact("customer", d.Customer)
	for _, tag := range d.Tags {
		exact("tag", strings.ToLower(tag))
	}
	for _, what := range d.Has() {
		exact(fieldHas, what)
	}
	text(fieldSubject, nil, cmp.Or(d.Subject, d.Name))
	for i, id := range d.Identities {
		text(fieldText, []uint64{uint64(i)}, id.Value)
	}
	for i, m := range d.Messages {
		text(fieldText, []uint64{uint64(i)}, m.Text)
	}
	for i, n := range d.Notes {
		text(fieldNotes, []uint64{uint64(i)}, n.Text)
	}
	for _, at := range []struct {
		name string
		time time.Time
	}{{fieldCreated, d.Created}, {fieldUpdated, d.Updated}} {
		f, err := document.NewDateTimeFieldWithIndexingOptions(at.name, nil, representable(at.time), time.RFC3339Nano, timeOptions)
		if err != nil {
			return nil, fmt.Errorf("encode %s of document %s: %w", at.name, d.ID, err)
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

// Fingerprint is of how this version cuts and lays out documents: when it changes, a rebuild is due. It is taken of what
// becomes of a document that has everything, and so follows every change by itself.
func Fingerprint() string {
	d := search.Document{
		ID: "id", Org: "org", Customer: "customer", Channel: "chat", Status: "open", Priority: "normal", Queue: "queue", Assignee: "agent",
		Subject: "Déjà vu: résumés’ printing, naïve", Tags: []string{"Tag"}, Created: time.Unix(1, 0).UTC(), Updated: time.Unix(2, 0).UTC(),
		Messages: []search.Message{{ID: "m", From: "customer", Text: "Anna's e-mail anna.smith@example.com, order ORD-12345-X, 東京タワー ２０２４ 한국어 running"}},
		Notes:    []search.Message{{ID: "n", From: "agent", Text: "https://example.com/a/b?c=d +49 30 123456"}},
	}
	c := search.Document{
		Kind: events.KindCustomer, ID: "id", Org: "org", Name: "Anna Smith", Created: d.Created, Updated: d.Updated,
		Identities: []events.Identity{{Type: events.IdentityEmail, Value: "anna.smith@example.com"}},
	}
	h := sha256.New()
	_, _ = fmt.Fprintln(h, search.Format)
	for _, d := range []*search.Document{&d, &c} {
		out, err := encode(d)
		if err != nil {
			continue
		}
		for _, f := range out.Fields {
			f.Analyze()
			_, _ = fmt.Fprintln(h, f.Name(), f.Options(), f.ArrayPositions(), len(f.Value()))
			terms := f.AnalyzedTokenFrequencies()
			for _, term := range slices.Sorted(maps.Keys(terms)) {
				_, _ = fmt.Fprintln(h, term, terms[term].Frequency())
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

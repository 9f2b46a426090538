package bleve

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/document"
	fast "github.com/go-json-experiment/json"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// layout is the version of how this engine alone lays documents out.
const layout = 2

// kept is a document as it stands in the index, or a stub. Its messages and notes are decoded only when they are asked for:
// a hit shows two or three of them.
type kept struct {
	head

	texts [][]byte // messages, and then notes, as JSON
}

// head is all but the texts.
type head struct {
	search.Document

	Gone  bool `json:"gone,omitempty"`
	Spoke int  `json:"spoke,omitempty"` // how many of the texts are messages
}

// pack lays a document out: its head, each message, and each note, as JSON behind its length.
func pack(d *search.Document) ([]byte, error) {
	h := head{Document: *d, Spoke: len(d.Messages)}
	h.Messages, h.Notes = nil, nil
	out, err := frame(nil, h)
	for _, list := range [][]search.Message{d.Messages, d.Notes} {
		for i := range list {
			if err == nil {
				out, err = frame(out, &list[i])
			}
		}
	}
	return out, err
}

func frame(to []byte, v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(binary.AppendUvarint(to, uint64(len(raw))), raw...), nil
}

// unpack reads the head of what pack laid out.
func unpack(source []byte) (*kept, error) {
	var frames [][]byte
	for len(source) > 0 {
		size, n := binary.Uvarint(source)
		if n <= 0 || size > uint64(len(source)-n) { //nolint:gosec // it is positive
			return nil, fmt.Errorf("%w: a stored document is cut short", search.ErrCorrupt)
		}
		end := n + int(size) //nolint:gosec // within the source
		frames, source = append(frames, source[n:end]), source[end:]
	}
	if len(frames) == 0 {
		return nil, fmt.Errorf("%w: a stored document is empty", search.ErrCorrupt)
	}
	k := &kept{texts: frames[1:]}
	if err := fast.Unmarshal(frames[0], &k.head); err != nil {
		return nil, fmt.Errorf("%w: a stored document does not decode: %w", search.ErrCorrupt, err)
	}
	if k.Spoke < 0 || k.Spoke > len(k.texts) {
		return nil, fmt.Errorf("%w: a stored document lacks messages", search.ErrCorrupt)
	}
	k.Erased = k.Gone
	return k, nil
}

// message is one of the messages, or of the notes; nil when there is no such one.
func (k *kept) message(note bool, at uint64) (*search.Message, error) {
	list := k.texts[:k.Spoke]
	if note {
		list = k.texts[k.Spoke:]
	}
	if at >= uint64(len(list)) {
		return nil, nil //nolint:nilnil // the document has changed
	}
	m := &search.Message{}
	if err := fast.Unmarshal(list[at], m); err != nil {
		return nil, fmt.Errorf("%w: a stored message does not decode: %w", search.ErrCorrupt, err)
	}
	return m, nil
}

// whole is the document with all of its texts.
func (k *kept) whole() (*search.Document, error) {
	d := k.Document
	for i, raw := range k.texts {
		var m search.Message
		if err := fast.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("%w: a stored message does not decode: %w", search.ErrCorrupt, err)
		}
		if i < k.Spoke {
			d.Messages = append(d.Messages, m)
		} else {
			d.Notes = append(d.Notes, m)
		}
	}
	return &d, nil
}

// stub stands where nothing may be found any more, so that who is late does not write there again.
func stub(batch *blevesearch.Batch, g search.Gone) error {
	source, err := frame(nil, head{Document: search.Document{ID: g.ID, Org: g.Org, Position: g.Position}, Gone: true})
	if err != nil {
		return fmt.Errorf("encode the stub of %s: %w", g.ID, err)
	}
	out := document.NewDocument(docID(g.Org, g.ID))
	out.AddField(document.NewTextFieldCustom(fieldKind, nil, []byte(kindGone), exactOptions, nil))
	out.AddField(document.NewTextFieldCustom(fieldSource, nil, source, sourceOptions, nil))
	if err := batch.IndexAdvanced(out); err != nil {
		return fmt.Errorf("add the stub of %s: %w", g.ID, err)
	}
	return nil
}

package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections"
)

// pieceBytes is how large one request may become. One document may be larger; it goes alone.
const pieceBytes = 4 << 20

// bulk gathers documents into the bodies of requests.
type bulk struct {
	fields map[string]json.RawMessage // that the index can hold; nil: all
	pieces []*bytes.Buffer
}

// add takes a document that replaces what is older at its place.
func (b *bulk) add(at string, version uint64, d document) error {
	type action struct {
		ID      string `json:"_id"`
		Version uint64 `json:"version"`
		Type    string `json:"version_type"`
	}
	head, err := json.Marshal(map[string]action{"index": {ID: at, Version: version, Type: "external_gte"}})
	if err != nil {
		return fmt.Errorf("encode document %s: %w", at, err)
	}
	body, err := b.shape(d)
	if err != nil {
		return fmt.Errorf("encode document %s: %w", at, err)
	}
	if n := len(b.pieces); n == 0 || b.pieces[n-1].Len() > 0 && b.pieces[n-1].Len()+len(head)+len(body) > pieceBytes {
		b.pieces = append(b.pieces, &bytes.Buffer{})
	}
	last := b.pieces[len(b.pieces)-1]
	for _, line := range [][]byte{head, body} {
		last.Write(line)
		last.WriteByte('\n')
	}
	return nil
}

// shape leaves out what an index of another version has no place for.
func (b *bulk) shape(d document) ([]byte, error) {
	body, err := json.Marshal(d)
	if err != nil || b.fields == nil {
		return body, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { _, has := b.fields[name]; return !has })
	return json.Marshal(all)
}

// write sends what was gathered. What is older than what is there is no error: it has been overtaken.
func (e *Engine) write(ctx context.Context, b *bulk) error {
	for _, piece := range b.pieces {
		res, err := e.client.PerformRequest(ctx, es.PerformRequestOptions{
			Method: http.MethodPost, Path: "/" + e.index + "/_bulk", Body: piece.String(), ContentType: "application/x-ndjson",
		})
		if err != nil {
			return e.away("write documents", err)
		}
		var answer es.BulkResponse
		if err := json.Unmarshal(res.Body, &answer); err != nil {
			return e.away("write documents", err)
		}
		if err := sort(answer.Items); err != nil {
			return err
		}
	}
	return nil
}

// sort tells what became of the documents of a request: one that has to be tried again makes the request one that has
// to be; otherwise the first that the engine will never take is to blame.
func sort(items []map[string]*es.BulkResponseItem) error {
	var blamed error
	for _, item := range items {
		for _, r := range item {
			switch {
			case r.Error == nil, r.Status == http.StatusConflict:
			case again(r.Status, r.Error.Type):
				return fmt.Errorf("%w: write document %s: %s: %s", projections.ErrTransient, r.Id, r.Error.Type, r.Error.Reason)
			case blamed == nil:
				blamed = fmt.Errorf("the search engine does not take document %s: %s: %s", r.Id, r.Error.Type, r.Error.Reason)
			}
		}
	}
	return blamed
}

// again tells whether an error is of the engine's state and not of what it was told. An index is read-only when its disk
// is nearly full.
func again(status int, kind string) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError || kind == "cluster_block_exception"
}

var errConflict = errors.New("somebody else has written it")

// put writes a document over what was there at a moment; nil: over nothing. errConflict: something else is there.
func (e *Engine) put(ctx context.Context, at string, d document, over *mark) (mark, error) {
	req := es.NewBulkIndexRequest().Id(at).Doc(d)
	if over == nil {
		req.OpType("create")
	} else {
		req.IfSeqNo(over.sequence).IfPrimaryTerm(over.term)
	}
	res, err := e.client.Bulk().Index(e.index).Add(req).Do(ctx)
	if err != nil {
		return mark{}, e.away("write "+at, err)
	}
	for _, item := range res.Items {
		for _, r := range item {
			if r.Status == http.StatusConflict {
				return mark{}, errConflict
			}
			if r.Error == nil {
				return mark{sequence: r.SeqNo, term: r.PrimaryTerm}, nil
			}
			return mark{}, e.away("write "+at, fmt.Errorf("%s: %s", r.Error.Type, r.Error.Reason))
		}
	}
	return mark{}, e.away("write "+at, errors.New("no answer"))
}

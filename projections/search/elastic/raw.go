package elastic

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	fast "github.com/go-json-experiment/json"
	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// Raw is an engine's own HTTP API, with none of what Tidemark adds to it: for measuring the one beside the other.
type Raw struct {
	client *es.Client
	guard  *guard
	name   string
}

// OpenRaw makes a client. Find asks the index that serves under the name; Make gives writes one of their own.
func OpenRaw(cfg Config) (*Raw, error) {
	client, guard, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	return &Raw{client, guard, cfg.Name}, nil
}

func (r *Raw) index() string { return r.name + "-raw" }

// Make makes the index for writes empty, with the mapping that an index of Tidemark has.
func (r *Raw) Make(ctx context.Context) error {
	if _, err := r.client.DeleteIndex(r.index()).Do(ctx); err != nil && !es.IsNotFound(err) {
		return away("remove the index "+r.index(), err)
	}
	if _, err := r.client.CreateIndex(r.index()).BodyString(string(indexBody)).Do(ctx); err != nil {
		return away("make the index "+r.index(), err)
	}
	return nil
}

// Prepare makes one bulk request of documents, which write sends.
func (r *Raw) Prepare(docs []*search.Document) (write func(context.Context) error, err error) {
	var b bulk
	for _, doc := range docs {
		d, err := encode(doc)
		if err != nil {
			return nil, err
		}
		if err := b.add(place(doc.Org, doc.ID), doc.Position, d); err != nil {
			return nil, err
		}
	}
	lines := make([][]byte, len(b.items))
	for i, item := range b.items {
		lines[i] = item.lines
	}
	body := string(slices.Concat(lines...))
	return func(ctx context.Context) error {
		res, err := r.client.PerformRequest(ctx, es.PerformRequestOptions{
			Method: http.MethodPost, Path: "/" + r.index() + "/_bulk", Body: body, ContentType: "application/x-ndjson",
		})
		if err != nil {
			return away("write documents", err)
		}
		if !bytes.Contains(res.Body, []byte(`"errors":false`)) {
			return fmt.Errorf("write documents: not all were taken: %.300s", res.Body)
		}
		return nil
	}, nil
}

// Find asks for the first page of a ranked query as the engine does, and reads nothing of what is found but ids.
func (r *Raw) Find(ctx context.Context, q search.Query) (total uint64, ids []string, err error) {
	body, err := page(q, compile(q)).Source()
	if err != nil {
		return 0, nil, fmt.Errorf("encode a query: %w", err)
	}
	res, err := r.client.PerformRequest(ctx, es.PerformRequestOptions{Method: http.MethodPost, Path: "/" + r.name + "/_search", Body: body})
	if err != nil {
		return 0, nil, away("search", err)
	}
	var answer struct {
		Hits struct {
			Total struct {
				Value uint64 `json:"value"`
			} `json:"total"`
			Hits []struct {
				ID string `json:"_id"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := fast.Unmarshal(res.Body, &answer); err != nil {
		return 0, nil, away("search", err)
	}
	for _, hit := range answer.Hits.Hits {
		ids = append(ids, strings.TrimPrefix(hit.ID, q.Org+"/"))
	}
	return answer.Hits.Total.Value, ids, nil
}

// Documents is the number of documents that were written.
func (r *Raw) Documents(ctx context.Context) (uint64, error) {
	if _, err := r.client.Refresh(r.index()).Do(ctx); err != nil {
		return 0, away("count documents", err)
	}
	n, err := r.client.Count(r.index()).Do(ctx)
	if err != nil {
		return 0, away("count documents", err)
	}
	return uint64(max(n, 0)), nil
}

// Drop removes every index whose name begins with the name and a hyphen: those of Tidemark, and that for writes.
func (r *Raw) Drop(ctx context.Context) error {
	list, err := r.client.IndexGet(r.name + "-*").Do(ctx)
	if err != nil {
		return away("list indexes", err)
	}
	for index := range list {
		if _, err := r.client.DeleteIndex(index).Do(ctx); err != nil && !es.IsNotFound(err) {
			return away("remove the index "+index, err)
		}
	}
	return nil
}

// Close ends the connections.
func (r *Raw) Close() error {
	r.client.Stop()
	r.guard.close()
	return nil
}

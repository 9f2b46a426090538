package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections/search"
)

// create makes an index. When it is known to lack something, it has only what every engine has: words in lower case, cut
// where they are cut everywhere, and neither stems, accents taken off, nor pairs of characters. The fields are the same, and
// so are the queries.
func (s *Store) create(ctx context.Context, number int, role search.Role, meta about) error {
	var body map[string]any
	if err := json.Unmarshal(indexBody, &body); err != nil {
		return fmt.Errorf("read the mapping: %w", err)
	}
	mappings, _ := body["mappings"].(map[string]any)
	mappings["_meta"] = meta
	body["aliases"] = map[string]any{s.alias(role): struct{}{}, into(s.index(number)): struct{}{}}
	if meta.Lacks != "" {
		settings, _ := body["settings"].(map[string]any)
		index, _ := settings["index"].(map[string]any)
		plain := map[string]any{"type": "custom", "tokenizer": "standard", "filter": []string{"lowercase"}}
		index["analysis"] = map[string]any{
			"normalizer": map[string]any{"lower": map[string]any{"type": "custom", "filter": []string{"lowercase"}}},
			"analyzer":   map[string]any{"words": plain, "exact": plain},
		}
	}
	_, err := s.client.CreateIndex(s.index(number)).BodyJson(body).Do(ctx)
	return err
}

// lacking is what an engine says when it does not know a part of the analysis; empty for every other error.
func lacking(err error) string {
	e, ok := errors.AsType[*es.Error](err)
	if !ok || e.Status != http.StatusBadRequest || e.Details == nil || e.Details.Type != "illegal_argument_exception" {
		return ""
	}
	for _, of := range []string{"filter", "analyzer", "tokenizer"} {
		if strings.Contains(e.Details.Reason, of) {
			return e.Details.Reason
		}
	}
	return ""
}

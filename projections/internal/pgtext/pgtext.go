// Package pgtext makes what people wrote fit for PostgreSQL, which refuses the character NUL in text and in jsonb. A
// message that has one must not stop its conversation, so NUL becomes U+FFFD. Times are cut to the microseconds that
// PostgreSQL keeps, so that a row equals the fold that it was made from.
package pgtext

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Clean replaces what PostgreSQL refuses in a text.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

// Merge sets attributes; nil removes one. The given map is not changed: folds share their states.
func Merge(have, set map[string]any) map[string]any {
	out := make(map[string]any, len(have)+len(set))
	maps.Copy(out, have)
	for k, v := range set {
		k = Clean(k)
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = cleanValue(v)
	}
	return out
}

func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return Clean(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cleanValue(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[Clean(k)] = cleanValue(v[k])
		}
		return out
	default:
		return v
	}
}

// Attributes writes attributes as jsonb.
func Attributes(a map[string]any) ([]byte, error) {
	if len(a) == 0 {
		return []byte("{}"), nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode attributes: %w", err)
	}
	return b, nil
}

// ParseAttributes reads what Attributes wrote; it is never nil.
func ParseAttributes(b []byte) (map[string]any, error) {
	out := map[string]any{}
	if string(b) == "{}" {
		return out, nil
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("decode attributes: %w", err)
	}
	return out, nil
}

// Time is t as PostgreSQL gives it back.
func Time(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Package attr is the rules of attributes: strings, numbers and booleans by name, null to remove one, few and small.
package attr

import (
	"fmt"
	"maps"

	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The limits.
const (
	MaxCount = 100 // attributes of one conversation or customer
	MaxName  = 64  // characters
	MaxValue = 1_000
)

// Decide gives the part of a change that is news to what is there, with numbers as float64; nil when nothing is.
func Decide(have, change map[string]any) (map[string]any, error) {
	if len(change) > MaxCount {
		return nil, refuse("attributes", fmt.Sprintf("at most %d can be set at once", MaxCount))
	}
	var news map[string]any
	count := len(have)
	for name, value := range change {
		if err := checkName(name); err != nil {
			return nil, err
		}
		value, err := plain(name, value)
		if err != nil {
			return nil, err
		}
		old, there := have[name]
		switch {
		case value == nil && !there, there && value == old:
			continue
		case value == nil:
			count--
		case !there:
			count++
		}
		if news == nil {
			news = make(map[string]any, len(change))
		}
		news[name] = value
	}
	if count > MaxCount {
		return nil, refuse("attributes", fmt.Sprintf("there can be at most %d", MaxCount))
	}
	return news, nil
}

// Apply is a copy of what is there with a change applied.
func Apply(have, change map[string]any) map[string]any {
	out := maps.Clone(have)
	if out == nil {
		out = make(map[string]any, len(change))
	}
	for name, value := range change {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

// Size is what attributes hold in memory, in bytes, about.
func Size(have map[string]any) int {
	const entry = 64
	n := 0
	for name, value := range have {
		n += entry + len(name)
		if s, ok := value.(string); ok {
			n += len(s)
		}
	}
	return n
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return refuse("attributes", fmt.Sprintf("a name has 1 to %d characters", MaxName))
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
			return refuse("attributes", "a name has letters, digits, '_', '-' and '.'")
		}
	}
	return nil
}

// plain brings a value to the form that it has when it is read back from the log.
func plain(name string, value any) (any, error) {
	field := "attributes." + name
	switch v := value.(type) {
	case nil, bool:
		return v, nil
	case string:
		_, err := text.Line(field, v, MaxValue)
		return v, err
	case float64:
		if v-v != 0 {
			return nil, refuse(field, "must be a finite number")
		}
		return v, nil
	case float32:
		return plain(name, float64(v))
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	default:
		return nil, refuse(field, "must be a string, a number, a boolean or null")
	}
}

func refuse(field, message string) error {
	return refusal.ErrAttributesInvalid.WithFields(fault.Field{Location: field, Message: message})
}

package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TypeInfo describes one type of event for documentation and tests.
type TypeInfo struct {
	Type    string
	Kind    Kind
	Doc     string
	Current bool  // false for an old version that is lifted when read
	Sample  Event // the zero value of the current shape; nil for an old version
}

type entry struct {
	info   TypeInfo
	decode func(body []byte) (Event, error)
}

// registry is built by init in the file of each kind and never changes afterwards.
var registry = map[string]entry{}

// register makes T known. The type string comes from T itself.
func register[T Event](doc string) {
	var zero T
	add(entry{
		info: TypeInfo{Type: zero.EventType(), Kind: kindOf(zero.EventType()), Doc: doc, Current: true, Sample: zero},
		decode: func(body []byte) (Event, error) {
			var e T
			err := json.Unmarshal(body, &e)
			return e, err
		},
	})
}

// lift makes an old version known: Old is the shape it was written in, up turns it into today's.
func lift[Old any, New Event](oldType, doc string, up func(Old) New) {
	add(entry{
		info: TypeInfo{Type: oldType, Kind: kindOf(oldType), Doc: doc},
		decode: func(body []byte) (Event, error) {
			var o Old
			if err := json.Unmarshal(body, &o); err != nil {
				return nil, err
			}
			return up(o), nil
		},
	})
}

func add(e entry) {
	if _, twice := registry[e.info.Type]; twice {
		panic("events: type registered twice: " + e.info.Type)
	}
	registry[e.info.Type] = e
}

func kindOf(eventType string) Kind {
	kind, _, _ := strings.Cut(eventType, ".")
	return Kind(kind)
}

// misplaced tells whether an event of a known type stands in the history of another kind of aggregate.
func misplaced(kind Kind, eventType string) bool {
	e, known := registry[eventType]
	return known && e.info.Kind != kind
}

func decodeBody(eventType string, body []byte) Event {
	e, ok := registry[eventType]
	if !ok {
		return Unknown{Type: eventType, Reason: "this version does not know the type", Body: body}
	}
	// JSON's null would pass for any event.
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return Unknown{Type: eventType, Reason: "body: not a JSON object", Body: body}
	}
	event, err := e.decode(body)
	if err != nil {
		return Unknown{Type: eventType, Reason: fmt.Sprintf("body: %v", err), Body: body}
	}
	return event
}

// Types lists every registered type, old versions too, in the order of their names.
func Types() []TypeInfo {
	out := make([]TypeInfo, 0, len(registry))
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		out = append(out, registry[name].info)
	}
	return out
}

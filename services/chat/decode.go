package chat

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// decode reads a JSON object whose values are texts, or lists of texts. All that is wrong with it is told at once: names that are not
// known, by their exact spelling, and values that are no text.
func decode(r *http.Request, into map[string]*string, lists ...map[string]*[]string) error {
	raw, err := io.ReadAll(r.Body) // web.CheckRequest has bounded it
	if err != nil {
		return web.ErrBodyMalformed.WithCause(err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return web.ErrBodyMalformed.WithHint("send one JSON object")
	}
	var wrong []fault.Field
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value, known := into[name]
		list := listOf(lists, name)
		switch {
		case list != nil:
			if !readTexts(object[name], list) {
				wrong = append(wrong, fault.Field{Location: "body." + name, Message: "expected list of strings"})
			}
		case !known:
			wrong = append(wrong, fault.Field{Location: "body." + name, Message: "unexpected property"})
		case !readText(object[name], value):
			wrong = append(wrong, fault.Field{Location: "body." + name, Message: "expected string"})
		}
	}
	if len(wrong) > 0 {
		return web.Invalid(wrong...)
	}
	return nil
}

// readText reads a string, and nothing that would pass for one: encoding/json leaves null alone.
func readText(raw json.RawMessage, into *string) bool {
	return raw[0] == '"' && json.Unmarshal(raw, into) == nil
}

func readTexts(raw json.RawMessage, into *[]string) bool {
	var all []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &all) != nil {
		return false
	}
	*into = make([]string, len(all))
	for n, one := range all {
		if !readText(one, &(*into)[n]) {
			return false
		}
	}
	return true
}

func listOf(lists []map[string]*[]string, name string) *[]string {
	for _, l := range lists {
		if list, known := l[name]; known {
			return list
		}
	}
	return nil
}

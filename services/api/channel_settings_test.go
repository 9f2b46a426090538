package api_test

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestChannelSettings: what is read can be written as it is, what is absent stays, and a change is made whole or not at all.
func TestChannelSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.acme.adminKey
	path := "/v1/channels/" + b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "chat", "name": "Site"}).str("id")
	settings := func() map[string]any {
		var got map[string]any
		if err := json.Unmarshal(b.ok(200, "GET", path, b.acme.userKey, nil).raw, &got); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"id", "type", "site_key", "disabled", "identity_version", "identity_required", "survey"} {
			delete(got, name)
		}
		return got
	}
	want := map[string]any{
		"name": "Site", "origins": []any{}, "greeting": "", "away_text": "",
		"theme":         map[string]any{"colour": "#1d4ed8", "position": "right", "mode": "auto"},
		"languages":     map[string]any{"languages": []any{}},
		"pre_chat_form": map[string]any{"fields": []any{}},
		"office_hours":  map[string]any{"weekly": []any{}},
	}
	check := func(what string) {
		t.Helper()
		if got := settings(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %v\nwant %v", what, got, want)
		}
	}
	check("as it was made")
	b.ok(200, "PATCH", path, admin, settings())
	check("as it was read")

	b.ok(200, "PATCH", path, admin, map[string]any{
		"name": "Shop", "origins": []string{"https://shop.example"}, "greeting": "Hello", "away_text": "Later",
		"theme":         map[string]any{"mode": "dark"},
		"languages":     map[string]any{"languages": []string{"de", "EN"}},
		"pre_chat_form": map[string]any{"fields": []any{map[string]any{"name": "email", "required": true}, map[string]any{"name": "size", "label": "Size", "input": "choice", "options": []string{"S", "L"}}}},
		"office_hours":  map[string]any{"timezone": "Europe/Berlin", "weekly": []any{map[string]any{"day": "monday", "from": "09:00", "to": "17:00"}}},
	})
	want = map[string]any{
		"name": "Shop", "origins": []any{"https://shop.example"}, "greeting": "Hello", "away_text": "Later",
		"theme":     map[string]any{"colour": "#1d4ed8", "position": "right", "mode": "dark"},
		"languages": map[string]any{"languages": []any{"de", "en"}, "default": "de"},
		"pre_chat_form": map[string]any{"fields": []any{
			map[string]any{"name": "email", "input": "email", "required": true},
			map[string]any{"name": "size", "label": "Size", "input": "choice", "options": []any{"S", "L"}},
		}},
		"office_hours": map[string]any{"timezone": "Europe/Berlin", "weekly": []any{map[string]any{"day": "monday", "from": "09:00", "to": "17:00"}}},
	}
	check("changed")
	b.ok(200, "PATCH", path, admin, settings())
	check("written as it was read")
	b.ok(200, "PATCH", path, admin, map[string]any{})
	check("changed by nothing")

	for code, body := range map[string]map[string]any{
		"text_invalid":          {"greeting": "Bye", "name": " "},
		"origins_invalid":       {"greeting": "Bye", "origins": []string{"shop.example"}},
		"theme_invalid":         {"greeting": "Bye", "theme": map[string]any{"colour": "red"}},
		"languages_invalid":     {"greeting": "Bye", "languages": map[string]any{"languages": []string{"german"}}},
		"pre_chat_form_invalid": {"greeting": "Bye", "pre_chat_form": map[string]any{"fields": []any{map[string]any{"name": "size"}}}},
		"office_hours_invalid":  {"greeting": "Bye", "office_hours": map[string]any{"weekly": []any{map[string]any{"day": "monday", "from": "17:00", "to": "09:00"}}}},
		"validation_failed":     {"greeting": "Bye", "office_hours": map[string]any{"timezone": "Europe/Atlantis", "weekly": []any{}}},
	} {
		b.refused(422, code, "PATCH", path, admin, body)
	}
	check("refused")

	b.refused(403, "forbidden", "PATCH", path, b.acme.userKey, map[string]any{"greeting": "Bye"})
	b.refused(404, "channel_not_found", "PATCH", "/v1/channels/none", admin, map[string]any{})
	mail := "/v1/channels/" + b.ok(201, "POST", "/v1/channels", admin, map[string]any{"type": "email", "name": "Mail"}).str("id")
	b.refused(409, "channel_not_chat", "PATCH", mail, admin, map[string]any{"greeting": "Hello"})
	b.ok(200, "PATCH", mail, admin, map[string]any{"name": "Post"})
	if c := b.ok(200, "GET", mail, admin, nil); c.str("name") != "Post" || c.get("theme") != nil {
		t.Errorf("mail is %s", c.raw)
	}
}

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestChannelCommand answers as a server does, and looks at what is asked, printed, and ended with.
func TestChannelCommand(t *testing.T) {
	t.Parallel()
	const site = `{"id":"site","type":"chat","name":"Site","site_key":"sk","origins":["https://acme.example"],"disabled":false,"identity_version":2,"identity_required":true,"survey":{"enabled":true,"question":"","expires_after_hours":48},"greeting":"Hello\nyou",` +
		`"theme":{"colour":"#ff0000","position":"left","mode":"dark"},"languages":{"languages":["de","en"],"default":"de"},` +
		`"pre_chat_form":{"fields":[{"name":"email","input":"email","required":true}]},` +
		`"office_hours":{"timezone":"Europe/Berlin","weekly":[{"day":"monday","from":"09:00","to":"17:00"}]},"away_text":""}`
	const mail = `{"id":"mail","type":"email","name":"Mail","origins":[],"disabled":true,"identity_version":0,"identity_required":false,"survey":null}`
	for _, c := range []struct {
		name   string
		args   []string
		status int
		answer string
		asked  []string // with the body behind it
		code   int
		said   []string
	}{
		{"list", nil, 200, `{"items":[` + site + `,` + mail + `],"links":{}}`, []string{"GET /v1/channels "}, exitOK, []string{"SITE KEY", "https://acme.example", "disabled"}},
		{"list for programs", []string{"list", "--json"}, 200, `{"items":[` + site + `,` + mail + `],"links":{}}`, []string{"GET /v1/channels "}, exitOK, []string{site + "\n" + mail + "\n"}},
		{"show", []string{"show", "site"}, 200, site, []string{"GET /v1/channels/site "}, exitOK, []string{"Hello you", "#ff0000 left dark", "de en, default de", "email (email), required", "monday 09:00-17:00 Europe/Berlin", "required", "on, for 48 h"}},
		{"show for programs", []string{"show", "site", "--json"}, 200, site, []string{"GET /v1/channels/site "}, exitOK, []string{site + "\n"}},
		{
			"create",
			[]string{"create", "chat", "Site", "--origin", "https://acme.example"},
			201, `{"id":"site","site_key":"sk","position":"p"}`,
			[]string{`POST /v1/channels {"name":"Site","origins":["https://acme.example"],"type":"chat"}`},
			exitOK,
			[]string{"Set up channel site", "sk"},
		},
		{"create for programs", []string{"create", "email", "Mail", "--json"}, 201, `{"id":"mail","position":"p"}`, []string{`POST /v1/channels {"name":"Mail","type":"email"}`}, exitOK, []string{`{"id":"mail","position":"p"}`}},
		{"create what there is not", []string{"create", "pigeon", "Site"}, 200, "", nil, exitUsage, []string{"chat"}},
		{"set texts", []string{"set", "site", "--name", "Shop", "--greeting", "", "--away-text", "Later, please"}, 200, `{"id":"site","position":"p"}`, []string{`PATCH /v1/channels/site {"away_text":"Later, please","greeting":"","name":"Shop"}`}, exitOK, []string{"Changed."}},
		{"set a part of the theme", []string{"set", "site", "--mode", "dark"}, 200, `{"id":"site","position":"p"}`, []string{`PATCH /v1/channels/site {"theme":{"mode":"dark"}}`}, exitOK, nil},
		{"set languages", []string{"set", "site", "--language", "de", "--language", "en", "--default-language", "en"}, 200, `{}`, []string{`PATCH /v1/channels/site {"languages":{"default":"en","languages":["de","en"]}}`}, exitOK, nil},
		{
			"set the form",
			[]string{"set", "site", "--field", "name", "--field", "email!", "--field", `{"name":"size","label":"Size, please","input":"choice","options":["S","L"]}`},
			200, `{}`,
			[]string{`PATCH /v1/channels/site {"pre_chat_form":{"fields":[{"name":"name"},{"name":"email","required":true},{"name":"size","label":"Size, please","input":"choice","options":["S","L"]}]}}`},
			exitOK, nil,
		},
		{
			"set hours",
			[]string{"set", "site", "--open", "monday-tuesday 09:00-17:00", "--open", "saturday 10:00-12:00", "--timezone", "Europe/Berlin"},
			200, `{}`,
			[]string{`PATCH /v1/channels/site {"office_hours":{"timezone":"Europe/Berlin","weekly":[{"day":"monday","from":"09:00","to":"17:00"},{"day":"tuesday","from":"09:00","to":"17:00"},{"day":"saturday","from":"10:00","to":"12:00"}]}}`},
			exitOK, nil,
		},
		{
			"take everything back",
			[]string{"set", "site", "--any-origin", "--any-language", "--no-fields", "--always-open"},
			200, `{}`,
			[]string{`PATCH /v1/channels/site {"languages":{"default":"","languages":[]},"office_hours":{"timezone":"","weekly":[]},"origins":[],"pre_chat_form":{"fields":[]}}`},
			exitOK, nil,
		},
		{"set for programs", []string{"set", "site", "--name", "Shop", "--json"}, 200, `{"id":"site","position":"p"}`, []string{`PATCH /v1/channels/site {"name":"Shop"}`}, exitOK, []string{`{"id":"site","position":"p"}`}},
		{"hours backwards", []string{"set", "site", "--open", "friday-monday 09:00-17:00"}, 200, "", nil, exitUsage, []string{"--open"}},
		{"hours without a day", []string{"set", "site", "--open", "09:00-17:00"}, 200, "", nil, exitUsage, []string{"--open"}},
		{"a zone of no hours", []string{"set", "site", "--timezone", "UTC"}, 200, "", nil, exitUsage, []string{"--timezone"}},
		{"a default of no languages", []string{"set", "site", "--default-language", "de"}, 200, "", nil, exitUsage, []string{"--default-language"}},
		{"a field that is no JSON", []string{"set", "site", "--field", "{email}"}, 200, "", nil, exitUsage, []string{"--field"}},
		{"hours and always", []string{"set", "site", "--open", "monday 09:00-17:00", "--always-open"}, 200, "", nil, exitUsage, []string{"--always-open"}},
		{"set mail", []string{"set", "mail", "--greeting", "Hello"}, 409, `{"status":409,"code":"channel_not_chat","title":"only chat"}`, []string{`PATCH /v1/channels/mail {"greeting":"Hello"}`}, exitRefused, []string{"channel_not_chat"}},
		{"disable", []string{"disable", "site", "--reason", "spam"}, 200, `{"id":"site","position":"p"}`, []string{`PUT /v1/channels/site/enabled {"enabled":false,"reason":"spam"}`}, exitOK, []string{"Disabled."}},
		{"disable for programs", []string{"disable", "site", "--json"}, 200, `{"id":"site","position":"p"}`, []string{`PUT /v1/channels/site/enabled {"enabled":false,"reason":""}`}, exitOK, []string{`{"id":"site","position":"p"}`}},
		{"enable", []string{"enable", "site"}, 200, `{"id":"site","position":"p"}`, []string{`PUT /v1/channels/site/enabled {"enabled":true,"reason":""}`}, exitOK, []string{"Enabled."}},
		{"revoke sessions", []string{"revoke-sessions", "site", "--reason", "a token leaked"}, 200, `{"id":"site","position":"p"}`, []string{`DELETE /v1/channels/site/sessions?reason=a+token+leaked `}, exitOK, []string{"Ended."}},
		{"revoke sessions for programs", []string{"revoke-sessions", "site", "--json"}, 200, `{"id":"site","position":"p"}`, []string{`DELETE /v1/channels/site/sessions `}, exitOK, []string{`{"id":"site","position":"p"}`}},
		{"revoke sessions of mail", []string{"revoke-sessions", "mail"}, 409, `{"status":409,"code":"channel_not_chat","title":"only chat"}`, []string{`DELETE /v1/channels/mail/sessions `}, exitRefused, []string{"channel_not_chat"}},
		{"enable nothing", []string{"enable", "none"}, 404, `{"status":404,"code":"channel_not_found","title":"there is no such channel"}`, []string{`PUT /v1/channels/none/enabled {"enabled":true,"reason":""}`}, exitNotFound, []string{"channel_not_found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.answer))
			}))
			defer server.Close()
			var out bytes.Buffer
			none := func(string) (string, bool) { return "", false }
			args := append(append([]string{"channel"}, c.args...), "--url", server.URL, "--key", "tdm_x")
			code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &out, env: none})
			if code != c.code || !slices.Equal(asked, c.asked) {
				t.Errorf("ended with %d after asking\n%q\nwant %d after\n%q:\n%s", code, asked, c.code, c.asked, &out)
			}
			for _, w := range c.said {
				if !strings.Contains(out.String(), w) {
					t.Errorf("it does not say %q:\n%s", w, &out)
				}
			}
		})
	}
}

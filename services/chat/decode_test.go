package chat

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
)

// bodyOf is a request with this body.
func bodyOf(body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
}

// FuzzDecode: what is taken says just what the JSON says, in names and types that are known; nothing makes it panic.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"id":"m1","text":"hello"}`, `{"text":"a","attachments":["b","c"]}`, `{}`, `null`, `[]`, `"text"`, `{`, ``,
		`{"text":1}`, `{"text":null}`, `{"TEXT":"a"}`, `{"text":"a","text":"b"}`, `{"attachments":"a"}`, `{"attachments":[null]}`,
		`{"attachments":[1]}`, `{"":""}`, `{"text":"\ud800"}`, `{"text":"a"}{}`, ` {"text" : "a" } `, `{"a.b":{}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var id, text string
		var list []string
		known := map[string]*string{"id": &id, "text": &text}
		if decode(bodyOf(body), known, map[string]*[]string{"attachments": &list}) != nil {
			return
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(body), &object); err != nil || object == nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		want := map[string]any{}
		for name, value := range known {
			if _, there := object[name]; there || *value != "" {
				want[name] = *value
			}
		}
		if _, there := object["attachments"]; there || len(list) > 0 {
			all := make([]any, len(list))
			for n, s := range list {
				all[n] = s
			}
			want["attachments"] = all
		}
		if !reflect.DeepEqual(object, want) {
			t.Fatalf("%q was taken as %v", body, want)
		}
	})
}

// FuzzDecodeAnswer: what is taken has a score from 1 to 5, and nothing that is not known.
func FuzzDecodeAnswer(f *testing.F) {
	for _, s := range []string{
		`{"score":5}`, `{"score":1,"comment":"quick"}`, `{"score":0}`, `{"score":6}`, `{"score":1.0}`, `{"score":1e0}`, `{"score":"5"}`,
		`{"score":null}`, `{"score":05}`, `{"score":-1}`, `{"comment":"a"}`, `{"score":5,"comment":null}`, `{"Score":5}`, `{}`, `null`, `{`,
		`{"score":99999999999999999999}`, `{"score":5,"agent":"a"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var answer conversation.AnswerSurvey
		if decodeAnswer(bodyOf(body), &answer) != nil {
			return
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(body), &object); err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		score, _ := object["score"].(float64)
		comment, _ := object["comment"].(string)
		delete(object, "score")
		delete(object, "comment")
		if answer.Score < events.LowestScore || answer.Score > events.HighestScore || float64(answer.Score) != score || answer.Comment != comment || len(object) > 0 {
			t.Fatalf("%q was taken as %+v", body, answer)
		}
	})
}

// named is a log that only has a name.
type named struct{ Log }

func (named) Incarnation() string { return "thislog" }

// FuzzResume: a stream resumes only behind a position of this log in its one spelling, wherever it is named.
func FuzzResume(f *testing.F) {
	f.Add(events.Position{Incarnation: "thislog", Sequence: 7}.String(), "")
	f.Add("", events.Position{Incarnation: "thislog", Partition: 3, Sequence: 1<<64 - 1}.String())
	f.Add(events.Position{Incarnation: "anotherlog", Sequence: 7}.String(), "")
	f.Add("7", "8")
	f.Add("dGhpc2xvZy4wLjc=", "")
	f.Fuzz(func(t *testing.T, header, query string) {
		s := &Service{Deps: Deps{Log: named{}}}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = url.Values{"after": {query}}.Encode()
		r.Header["Last-Event-Id"] = []string{header}
		after, err := s.resume(r)
		if err != nil {
			return
		}
		token := header
		if token == "" {
			token = query
		}
		p, err := events.ParsePosition(token)
		if token == "" && after == 0 {
			return
		}
		if err != nil || p.Incarnation != "thislog" || p.Sequence != after || p.String() != token {
			t.Fatalf("%q leads to %d", token, after)
		}
	})
}

// FuzzPage: a page has a sound limit and begins at a position of this log.
func FuzzPage(f *testing.F) {
	f.Add("limit=3&cursor=" + events.Position{Incarnation: "thislog", Sequence: 7}.String())
	f.Add("cursor=" + events.Position{Incarnation: "anotherlog", Sequence: 7}.String())
	f.Add("cursor=" + events.Position{Incarnation: "thislog"}.String())
	f.Add("limit=201")
	f.Add("limit=+5&limit=9")
	f.Add("conversation_id=a.b&x=y")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		ask, err := (&Service{Deps: Deps{Log: named{}}}).page(q)
		if err != nil {
			return
		}
		unknown := maps.Clone(q)
		for _, name := range []string{"limit", "cursor", "conversation_id"} {
			delete(unknown, name)
		}
		if ask.limit < 1 || ask.limit > mostPage || len(unknown) > 0 || q.Has("cursor") != (ask.before > 0) {
			t.Fatalf("%q was taken as %+v", query, ask)
		}
	})
}

// FuzzProfile: what a visitor says of themselves is refused, or comes to a spelling that does not change any more.
func FuzzProfile(f *testing.F) {
	f.Add("Ann", "Ann@Example.com", "user-1")
	f.Add("", "", "")
	f.Add(" \u200bAnn ", "a@b", "\x00")
	f.Add(strings.Repeat("é", 201), "ann@münchen.example", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, name, email, externalID string) {
		p, err := checkProfile(sessionRequest{Name: name, Email: email, ExternalID: externalID})
		if err != nil {
			return
		}
		again, err := checkProfile(sessionRequest{Name: p.Name, Email: p.Email, ExternalID: p.ExternalID})
		if err != nil || again != p {
			t.Fatalf("%+v, then %+v: %v", p, again, err)
		}
	})
}

package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

var missing = flag.Bool("missing", false, "write samples for types that have none; those that are there are frozen")

// sample is a file of testdata: a body as it stands in a log somewhere, and what it means today.
type sample struct {
	Body  json.RawMessage `json:"body"`
	Means struct {
		Type string          `json:"type"`
		Body json.RawMessage `json:"body"`
	} `json:"means"`
}

func itoa(n int) string { return strconv.Itoa(n) }

// Every type and version that was ever written has a frozen sample, and it means what it always meant. A sample is never
// edited: a test that fails here says that events in somebody's log would be read wrongly.
func TestFrozenSamples(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, info := range events.Types() {
		known[info.Type+".json"] = true
		t.Run(info.Type, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", info.Type+".json")
			if *missing {
				writeMissing(t, path, info)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("no sample: %v (go test ./events -run Samples -missing writes one)", err)
			}
			var s sample
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			h := events.Header{"ce-type": {info.Type}, "ce-time": {"2026-01-01T00:00:00Z"}, "ce-revision": {"1"}}
			r, err := events.Decode(aggregateOf(info).Subject(4), 1, time.Now(), h, s.Body)
			if err != nil {
				t.Fatal(err)
			}
			if u, ok := r.Event.(events.Unknown); ok {
				t.Fatalf("is no longer read: %s", u.Reason)
			}
			if r.Event.EventType() != s.Means.Type {
				t.Fatalf("is read as %s, was %s", r.Event.EventType(), s.Means.Type)
			}
			got, err := json.Marshal(r.Event)
			if err != nil {
				t.Fatal(err)
			}
			sameMeaning(t, "", value(t, got), value(t, s.Means.Body))
		})
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[filepath.Base(f)] {
			t.Errorf("%s is a sample of a type that is no longer known: events of it are in logs", f)
		}
	}
}

func value(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// sameMeaning allows one difference: a field that the sample does not know, with its zero value.
func sameMeaning(t *testing.T, path string, got, want any) {
	t.Helper()
	g, isMap := got.(map[string]any)
	w, wantMap := want.(map[string]any)
	if !isMap || !wantMap {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, was %v", path, got, want)
		}
		return
	}
	for k, v := range w {
		other, there := g[k]
		if !there {
			t.Errorf("%s.%s is lost, was %v", path, k, v)
			continue
		}
		sameMeaning(t, path+"."+k, other, v)
	}
	for k, v := range g {
		if _, there := w[k]; there {
			continue
		}
		switch v {
		case nil, "", false, json.Number("0"):
		default:
			t.Errorf("%s.%s is %v, and events of old have nothing there", path, k, v)
		}
	}
}

func writeMissing(t *testing.T, path string, info events.TypeInfo) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return
	}
	if !info.Current {
		t.Fatal("write the sample of an old version by hand")
	}
	body, err := json.Marshal(filled(info.Sample))
	if err != nil {
		t.Fatal(err)
	}
	s := sample{Body: body}
	s.Means.Type, s.Means.Body = info.Type, body
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(out, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

// filled is the event with something in every field.
func filled(e events.Event) events.Event {
	v := reflect.New(reflect.TypeOf(e)).Elem()
	fill(v, "")
	return v.Interface().(events.Event)
}

func fill(v reflect.Value, name string) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2019, 5, 15, 12, 28, 0, 0, time.UTC)))
		return
	case map[string]any:
		v.Set(reflect.ValueOf(map[string]any{"plan": "gold", "seats": 12.5, "vip": true, "gone": nil}))
		return
	case []byte:
		v.SetBytes([]byte("0123456789abcdef0123456789abcdef"))
		return
	case events.Priority:
		v.SetString(string(events.PriorityHigh))
		return
	case events.Role:
		v.SetString(string(events.RoleAdmin))
		return
	case events.Presence:
		v.SetString(string(events.PresenceOnline))
		return
	case events.IdentityType:
		v.SetString(string(events.IdentityEmail))
		return
	case events.Channel:
		v.SetString(string(events.ChannelEmail))
		return
	case events.Actor:
		v.Set(reflect.ValueOf(events.Actor{Type: events.ActorAgent, ID: "agent-1"}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			fill(v.Field(i), tag)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), name+"-1")
		fill(v.Index(1), name+"-2")
	case reflect.String:
		v.SetString("some " + strings.ReplaceAll(name, "_", " "))
	case reflect.Int:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("no sample value for " + v.Type().String())
	}
}

package events_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

func aggregateOf(info events.TypeInfo) events.Aggregate {
	return events.Aggregate{Org: "org-1", Kind: info.Kind, ID: "id-1"}
}

func TestRegistryKnowsWhatItSays(t *testing.T) {
	t.Parallel()
	for _, info := range events.Types() {
		kind, rest, _ := strings.Cut(info.Type, ".")
		name, version, _ := strings.Cut(rest, ".")
		if name == "" || !strings.HasPrefix(version, "v") || strings.Trim(version[1:], "0123456789") != "" {
			t.Errorf("%s: want <kind>.<name>.v<number>", info.Type)
		}
		if string(info.Kind) != kind || !slices.Contains(events.Kinds, info.Kind) {
			t.Errorf("%s: kind %q is not one of the kinds", info.Type, info.Kind)
		}
		if info.Doc == "" {
			t.Errorf("%s: says nothing about itself", info.Type)
		}
		if info.Current != (info.Sample != nil) {
			t.Errorf("%s: only a current type has a Go shape", info.Type)
		}
		if info.Current && info.Sample.EventType() != info.Type {
			t.Errorf("%s: its shape says %s", info.Type, info.Sample.EventType())
		}
	}
}

// Every current type, with every field set, comes back from its envelope as it went in, and so does all metadata.
func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	for _, info := range events.Types() {
		if !info.Current {
			continue
		}
		t.Run(info.Type, func(t *testing.T) {
			t.Parallel()
			d := events.Draft{Metadata: events.Metadata{
				ID: events.NewID(), Time: time.Date(2019, 5, 15, 12, 19, 0, 123456789, time.UTC), Command: "chat:7", Digest: "ab12",
				Actor: events.Actor{Type: events.ActorAgent, ID: "ann:1"}, Depth: 2, Cause: 41,
				Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Revision: 9,
			}, Event: filled(info.Sample)}
			a := aggregateOf(info)
			header, body, err := events.Encode(a, d)
			if err != nil {
				t.Fatal(err)
			}
			stored := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			got, err := events.Decode(a.Subject(4), 77, stored, header, body)
			if err != nil {
				t.Fatal(err)
			}
			want := events.Recorded{
				Metadata: d.Metadata, Aggregate: a, Partition: a.Partition(4), Sequence: 77, Stored: stored, Size: len(body), Event: d.Event,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %#v\nwant %#v", got, want)
			}
		})
	}
}

func TestEncodeRefusesWhatWouldNotComeBack(t *testing.T) {
	t.Parallel()
	a := events.Aggregate{Org: "o", Kind: events.KindCustomer, ID: "c"}
	good := events.Draft{Metadata: events.Metadata{ID: "1", Time: time.Unix(0, 0), Revision: 1}, Event: events.CustomerCreated{Name: "Ann"}}
	if _, _, err := events.Encode(a, good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*events.Draft){
		"line break in the command": func(d *events.Draft) { d.Command = "a\r\nce-type: x" },
		"blank at the end":          func(d *events.Draft) { d.Command = "a " },
		"year 10000":                func(d *events.Draft) { d.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"another kind":              func(d *events.Draft) { d.Event = events.AgentRenamed{} },
	} {
		d := good
		spoil(&d)
		if _, _, err := events.Encode(a, d); !errors.Is(err, events.ErrEnvelope) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What cannot be read is Unknown with its body, never an error and never skipped.
func TestDecodeUnknown(t *testing.T) {
	t.Parallel()
	header := func(spoil map[string]string) events.Header {
		h := events.Header{"ce-type": {"customer.created.v1"}, "ce-time": {"2026-01-01T00:00:00Z"}, "ce-revision": {"1"}}
		for k, v := range spoil {
			h[k] = []string{v}
		}
		return h
	}
	for name, c := range map[string]struct {
		header events.Header
		body   string
	}{
		"a type of the future":  {header(map[string]string{"ce-type": "customer.created.v9"}), `{}`},
		"no type":               {header(map[string]string{"ce-type": ""}), `{}`},
		"no headers":            {nil, `{}`},
		"broken JSON":           {header(nil), `{"name":`},
		"wrong JSON":            {header(nil), `{"name":1}`},
		"null":                  {header(nil), `null`},
		"empty":                 {header(nil), ``},
		"bad time":              {header(map[string]string{"ce-time": "yesterday"}), `{}`},
		"bad revision":          {header(map[string]string{"ce-revision": "-1"}), `{}`},
		"bad depth":             {header(map[string]string{"ce-depth": "-1"}), `{}`},
		"bad cause":             {header(map[string]string{"ce-cause": "x"}), `{}`},
		"another kind's event":  {header(map[string]string{"ce-type": "agent.renamed.v1"}), `{"name":"x"}`},
		"an old version broken": {header(map[string]string{"ce-type": "conversation.priority_set.v1"}), `{"priority":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := events.Decode("ev.0.o.customer.c", 5, time.Now(), c.header, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			u, ok := r.Event.(events.Unknown)
			if !ok || u.Reason == "" || string(u.Body) != c.body || r.Sequence != 5 || r.Aggregate.ID != "c" {
				t.Errorf("got %#v", r)
			}
		})
	}
	if _, err := events.Decode("other.subject", 1, time.Now(), nil, nil); !errors.Is(err, events.ErrSubject) {
		t.Errorf("a foreign subject: got %v", err)
	}
}

func TestSubjectRoundTrip(t *testing.T) {
	t.Parallel()
	a := events.Aggregate{Org: "0190-a", Kind: events.KindConversation, ID: "B_2"}
	got, partition, err := events.ParseSubject(a.Subject(32))
	if err != nil || got != a || partition != a.Partition(32) {
		t.Errorf("got %v %d %v", got, partition, err)
	}
	for _, bad := range []string{
		"", "ev", "ev.", "ev.1", "ev.1.o", "ev.1.o.k", "ev.1.o.k.", "ev.1.o.k.i.x", "ev.-1.o.k.i", "ev.+1.o.k.i", "ev.01.o.k.i",
		"ev.x.o.k.i", "ev.1.*.k.i", "ev.1.o.>.i", "ev.1.o.k.a b", "ev.1..k.i", "live.o.k.i", "ev.1.o.k." + strings.Repeat("i", 65),
	} {
		if _, _, err := events.ParseSubject(bad); !errors.Is(err, events.ErrSubject) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// The partition of an aggregate is on disk in its subject: the function may never change.
func TestPartitionIsFrozen(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]int{"a": 1, "b": 8, "0190f3c4-7a6b-7c1d-8e2f-000000000001": 5} {
		if got := (events.Aggregate{Org: "o", Kind: events.KindQueue, ID: id}).Partition(32); got != want {
			t.Errorf("%s: partition %d, was always %d", id, got, want)
		}
	}
	one := events.Aggregate{Org: "o", Kind: events.KindCustomer, ID: "x"}
	other := one
	other.Kind = events.KindConversation
	if one.Partition(1024) != other.Partition(1024) {
		t.Error("the kind must not move an id to another partition")
	}
}

func TestPositionRoundTrip(t *testing.T) {
	t.Parallel()
	p := events.Position{Incarnation: "abc123", Partition: 3, Sequence: 1 << 63}
	got, err := events.ParsePosition(p.String())
	if err != nil || got != p {
		t.Errorf("got %v %v", got, err)
	}
	text, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var q events.Position
	if err := q.UnmarshalText(text); err != nil || q != p {
		t.Errorf("got %v %v", q, err)
	}
	if err := q.UnmarshalText(nil); err != nil || !q.IsZero() || q.String() != "" {
		t.Errorf("the zero position: got %v %v", q, err)
	}
	for _, bad := range []string{"", "x", "YQ", "YS4wLjE", "!!!!", p.String() + "A", p.String() + "="} {
		if got, err := events.ParsePosition(bad); err == nil && got.String() != bad {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, info := range events.Types() {
		f.Add("ev.1.o."+string(info.Kind)+".i", info.Type, "2026-01-01T00:00:00Z", "1", "agent:a", []byte(`{}`))
	}
	f.Fuzz(func(t *testing.T, subject, eventType, when, revision, actor string, body []byte) {
		h := events.Header{"ce-type": {eventType}, "ce-time": {when}, "ce-revision": {revision}, "ce-actor": {actor}}
		r, err := events.Decode(subject, 1, time.Now(), h, body)
		if err != nil {
			return
		}
		if r.Event == nil || !r.Valid() {
			t.Fatalf("decoded to %#v", r)
		}
		if _, unknown := r.Event.(events.Unknown); unknown {
			return
		}
		h, body, err = events.Encode(r.Aggregate, events.Draft{Metadata: r.Metadata, Event: r.Event})
		if err != nil {
			return // it holds what cannot be written
		}
		again, err := events.Decode(subject, 1, r.Stored, h, body)
		if err != nil {
			t.Fatal(err)
		}
		if u, unknown := again.Event.(events.Unknown); unknown {
			t.Fatalf("what was read cannot be read again: %s", u.Reason)
		}
	})
}

func FuzzParseSubject(f *testing.F) {
	f.Add("ev.0.o.customer.c")
	f.Add("ev.31.0190.conversation.a-b_C")
	f.Fuzz(func(t *testing.T, s string) {
		a, partition, err := events.ParseSubject(s)
		if err != nil {
			return
		}
		if !a.Valid() || partition < 0 {
			t.Fatalf("%q was read as %v", s, a)
		}
		if again := "ev." + itoa(partition) + "." + a.String(); again != s {
			t.Fatalf("%q was read as %q", s, again)
		}
	})
}

func FuzzParsePosition(f *testing.F) {
	f.Add(events.Position{Incarnation: "abc", Partition: 1, Sequence: 2}.String())
	f.Fuzz(func(t *testing.T, s string) {
		p, err := events.ParsePosition(s)
		if err == nil && p.String() != s {
			t.Fatalf("%q was read as %v", s, p)
		}
	})
}

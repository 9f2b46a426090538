package searchindexer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
)

func TestMain(m *testing.M) {
	if raw := os.Getenv(childVariable); raw != "" {
		os.Exit(index(raw)) // this process is one that the tests of failures kill
	}
	testkit.Main(
		m, goleak.IgnoreTopFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"),
		// The server keeps one clock for all servers of the process.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.init.0.func1"),
		// The fault proxy leaves both ends of a broken connection behind: who gives and who takes what it passes on.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	)
}

type bundle struct {
	log    *eventlog.Log
	dir    string
	client *search.Client
	open   func(ctx context.Context) (search.Engine, error)

	registry *prometheus.Registry // may be nil
}

func setup(t *testing.T) *bundle {
	t.Helper()
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	b := &bundle{log: log, dir: filepath.Join(t.TempDir(), "search"), client: &search.Client{Conn: log.Conn()}}
	b.open = func(ctx context.Context) (search.Engine, error) {
		return bleve.OpenIndexes(ctx, bleve.Config{Dir: b.dir, Incarnation: log.Incarnation(), Partitions: log.Partitions()}, log, slog.New(slog.DiscardHandler))
	}
	return b
}

// start runs a service; stop ends it and waits.
func (b *bundle) start(t *testing.T) (s *searchindexer.Service, stop func()) {
	t.Helper()
	deps := searchindexer.Deps{Log: b.log, Conn: b.log.Conn(), Open: b.open, Logger: slog.New(slog.DiscardHandler)}
	if b.registry != nil {
		deps.Registerer = b.registry
	}
	s = searchindexer.New(deps)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var stopped atomic.Bool
	stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func (b *bundle) write(t *testing.T, org, id string, list ...events.Event) events.Position {
	t.Helper()
	return b.append(t, events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}, list...)
}

// append gives the position of the first event.
func (b *bundle) append(t *testing.T, a events.Aggregate, list ...events.Event) events.Position {
	t.Helper()
	drafts := make([]events.Draft, len(list))
	for i, e := range list {
		drafts[i] = events.Draft{Metadata: events.Metadata{ID: events.NewID(), Time: time.Now(), Revision: uint64(i + 1)}, Event: e}
	}
	seqs, err := b.log.Append(t.Context(), eventlog.Write{Aggregate: a, Drafts: drafts})
	if err != nil {
		t.Fatal(err)
	}
	return b.log.Position(a, seqs[0])
}

// until asks again until the answer is there: the service starts in its own time.
func until[T any](t *testing.T, ask func() (T, error)) T {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		v, err := ask()
		if err == nil {
			return v
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %v", err)
		}
	}
}

func opened(subject string) events.ConversationOpened {
	return events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelChat, Subject: subject}
}

func TestOwnWriteIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(t)
	for i := range 20 {
		id := fmt.Sprintf("c%d", i)
		p := b.write(t, "org", id, opened("Ticket"), events.ConversationMessageReceived{MessageID: "m", Text: fmt.Sprintf("marker%d", i)})
		a := until(t, func() (search.Answer, error) {
			return b.client.Search(t.Context(), search.Request{Org: "org", Q: fmt.Sprintf("marker%d", i), MinPosition: p})
		})
		if len(a.Items) != 1 || a.Items[0].ConversationID != id || a.Items[0].Highlights[0].MessageID != "m" {
			t.Fatalf("own write: %+v", a)
		}
		if a.AsOf.Position.Sequence < p.Sequence || a.AsOf.Position.Incarnation != b.log.Incarnation() {
			t.Fatalf("as of %+v, not yet %+v", a.AsOf, p)
		}
	}
	// Another org finds nothing, and events that mean nothing to search still move the position.
	if a, err := b.client.Search(t.Context(), search.Request{Org: "org2", Q: "ticket"}); err != nil || a.Total != 0 || a.Items == nil {
		t.Errorf("another org: %+v, %v", a, err)
	}
	queue := events.Aggregate{Org: "org", Kind: events.KindQueue, ID: "q"}
	seqs, err := b.log.Append(t.Context(), eventlog.Write{Aggregate: queue, Drafts: []events.Draft{{
		Metadata: events.Metadata{ID: events.NewID(), Time: time.Now(), Revision: 1}, Event: events.QueueCreated{Name: "Q"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() (search.Answer, error) {
		return b.client.Search(t.Context(), search.Request{Org: "org", MinPosition: b.log.Position(queue, seqs[0])})
	})
	counts, err := b.client.Count(t.Context(), search.CountRequest{Org: "org"})
	if err != nil || len(counts) != 1 || counts[0].Conversations != 20 || counts[0].Messages != 20 {
		t.Errorf("counts %+v, %v", counts, err)
	}
	status, err := b.client.Status(t.Context())
	if err != nil || status.State != searchindexer.StateRunning || !status.Healthy || status.Documents != 20 || len(status.Partitions) != b.log.Partitions() {
		t.Errorf("status %+v, %v", status, err)
	}
	if parked, err := b.client.Parked(t.Context()); err != nil || len(parked) != 0 {
		t.Errorf("parked %+v, %v", parked, err)
	}
}

func TestFaultsTravel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(t)
	until(t, func() (search.Answer, error) { return b.client.Search(t.Context(), search.Request{Org: "org"}) })
	ahead := events.Position{Incarnation: b.log.Incarnation(), Partition: 1, Sequence: 1000}
	foreign := events.Position{Incarnation: "other123", Partition: 1, Sequence: 1}
	for _, test := range []struct {
		r    search.Request
		kind fault.Kind
		code string
	}{
		{search.Request{Org: "org", Q: `"open`}, fault.Invalid, "query_invalid"},
		{search.Request{Q: "x"}, fault.Invalid, "org_invalid"},
		{search.Request{Org: "org", MinPosition: foreign}, fault.Invalid, "position_unknown"},
		{search.Request{Org: "org", MinPosition: ahead}, fault.Unavailable, "not_yet"},
	} {
		_, err := b.client.Search(t.Context(), test.r)
		if fault.KindOf(err) != test.kind || fault.CodeOf(err) != test.code {
			t.Errorf("%+v: %v", test.r, err)
		}
	}
	f, _ := errors.AsType[*fault.Fault](func() error { _, err := b.client.Search(t.Context(), search.Request{Org: "org", Q: `"x`}); return err }())
	if f == nil || len(f.Fields) != 1 || f.Fields[0].Location != "query.q" {
		t.Errorf("the place is lost on the way: %+v", f)
	}
	for _, body := range []string{"", "{", "[]", `{"org":1}`} {
		msg, err := b.log.Conn().RequestWithContext(t.Context(), search.SubjectQuery, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := search.Decode(msg.Data, &search.Answer{}); fault.CodeOf(err) != "request_invalid" {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func() {
		t.Helper()
		_, err := b.client.Search(t.Context(), search.Request{Org: "org"})
		f, _ := errors.AsType[*fault.Fault](err)
		if f == nil || f.Kind != fault.Unavailable || f.Code != "search_unavailable" || f.RetryAfter <= 0 {
			t.Fatalf("nobody there: %v", err)
		}
	}
	ask()
	// One that hears and never answers is the same to the caller.
	sub, err := b.log.Conn().SubscribeSync(search.SubjectQuery)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.client.Search(ctx, search.Request{Org: "org"}); fault.CodeOf(err) != "search_unavailable" {
		t.Errorf("no answer: %v", err)
	}
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	_, stop := b.start(t)
	until(t, func() (search.Answer, error) { return b.client.Search(t.Context(), search.Request{Org: "org"}) })
	stop()
	ask()
}

// A second process stands by and takes over; what the first had done is not done again.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, stop := b.start(t)
	p := b.write(t, "org", "one", opened("Hello"))
	ask := func() (search.Answer, error) {
		return b.client.Search(t.Context(), search.Request{Org: "org", Q: "hello", MinPosition: p})
	}
	until(t, ask)
	second, _ := b.start(t)
	until(t, func() (bool, error) {
		if s := second.Status(); s.State != searchindexer.StateStandby || !s.Healthy {
			return false, fmt.Errorf("state %+v", s)
		}
		return true, nil
	})
	stop()
	if a := until(t, ask); a.Total != 1 {
		t.Errorf("after the take-over: %+v", a)
	}
}

// A damaged index is told, not crashed over, and mended by doing what the reason says while the service runs.
func TestDamagedThenMended(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, stop := b.start(t)
	p := b.write(t, "org", "one", opened("Hello"))
	ask := func() (search.Answer, error) {
		return b.client.Search(t.Context(), search.Request{Org: "org", Q: "hello", MinPosition: p})
	}
	until(t, ask)
	stop()
	if err := os.WriteFile(filepath.Join(b.dir, "v1", "index_meta.json"), []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := b.start(t)
	until(t, func() (bool, error) {
		if st := s.Status(); st.State != searchindexer.StateFailing || st.Healthy || st.Reason == "" {
			return false, fmt.Errorf("status %+v", st)
		}
		return true, nil
	})
	if _, err := ask(); fault.CodeOf(err) != "search_unavailable" {
		t.Errorf("over a damaged index: %v", err)
	}
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	if a := until(t, ask); a.Total != 1 {
		t.Errorf("after it was mended: %+v", a)
	}
}

package searchindexer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
)

// embedded is the kind of engine that has no program of its own.
const embedded = "bleve"

// place is where an index is. It is passed to a child process, too.
type place struct {
	Kind string `json:"kind"`
	At   string `json:"at"`   // directory, or URL
	Name string `json:"name"` // of the index in a program
	Log  string `json:"log"`  // URL
}

const (
	testLease   = 400 * time.Millisecond
	testTimeout = 2 * time.Second // of a request to an engine
)

func (p place) open(ctx context.Context, log *eventlog.Log, logger *slog.Logger) (search.Engine, error) {
	if p.Kind == embedded {
		return bleve.OpenIndexes(ctx, bleve.Config{Dir: p.At, Incarnation: log.Incarnation(), Partitions: log.Partitions()}, log, logger)
	}
	return elastic.OpenIndexes(ctx, elastic.Config{
		URL: p.At, Name: p.Name, Incarnation: log.Incarnation(), Partitions: log.Partitions(), Lease: testLease,
		Client: &http.Client{Timeout: testTimeout, Transport: &http.Transport{}},
	}, log, logger)
}

// rig is a log, an engine, and what may be done to both.
type rig struct {
	*bundle
	t       *testing.T
	place   place
	program *searchengine.Program // nil for Bleve
	relay   *relay                // before the program
	random  *rand.Rand
	last    map[events.Aggregate]uint64 // sequence
	count   map[events.Aggregate]uint64 // events

	parkedAt map[events.Aggregate]uint64 // from where on the index cannot have it
}

// newRig is on a log that child processes reach too.
func newRig(t *testing.T, kind string, program *searchengine.Program) *rig {
	t.Helper()
	s := testkit.NATS(t)
	log, err := eventlog.Open(t.Context(), eventlog.Config{URL: s.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	r := rigOn(t, kind, program, log)
	r.place.Log = s.ClientURL()
	return r
}

func rigOn(t *testing.T, kind string, program *searchengine.Program, log *eventlog.Log) *rig {
	t.Helper()
	r := &rig{
		t: t, program: program, random: rand.New(rand.NewPCG(1, 2)),
		last: map[events.Aggregate]uint64{}, count: map[events.Aggregate]uint64{},
		place: place{Kind: kind, At: filepath.Join(t.TempDir(), "search")},
	}
	if program != nil {
		r.relay = newRelay(t, program.URL)
		r.place.At = r.relay.url()
		r.place.Name = "t" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	}
	r.on(log)
	return r
}

// on puts the rig on a log.
func (r *rig) on(log *eventlog.Log) {
	logger := slog.New(slog.DiscardHandler)
	r.bundle = &bundle{log: log, client: &search.Client{Conn: log.Conn()}}
	r.open = func(ctx context.Context) (search.Engine, error) { return r.place.open(ctx, log, logger) }
}

const (
	orgs          = 2
	conversations = 30 // of each
)

// write appends so many events of a desk at work.
func (r *rig) write(n int) {
	r.t.Helper()
	for range n {
		org := fmt.Sprintf("org%d", r.random.IntN(orgs))
		a := events.Aggregate{Org: org, Kind: events.KindConversation, ID: fmt.Sprintf("c%d", r.random.IntN(conversations))}
		r.append(a, r.event(a))
	}
}

func (r *rig) event(a events.Aggregate) events.Event {
	n := r.count[a]
	if n == 0 {
		return events.ConversationOpened{CustomerID: "of-" + a.ID, Channel: events.ChannelChat, Subject: "Case " + a.ID}
	}
	switch r.random.IntN(8) {
	case 0:
		return events.ConversationTagged{Tag: fmt.Sprintf("tag%d", n)}
	case 1:
		return events.ConversationClosed{}
	case 2:
		return events.ConversationReopened{}
	case 3:
		return events.ConversationNoteAdded{NoteID: fmt.Sprintf("n%d", n), Text: fmt.Sprintf("it was the router, note %d", n)}
	default:
		return events.ConversationMessageReceived{MessageID: fmt.Sprintf("m%d", n), Text: fmt.Sprintf("The router blinks red, message %d", n)}
	}
}

// erase forgets a customer of an org, whose conversation goes on being written to.
func (r *rig) erase(org, id string) {
	r.t.Helper()
	r.append(events.Aggregate{Org: org, Kind: events.KindCustomer, ID: "of-" + id}, events.CustomerErased{})
}

func (r *rig) append(a events.Aggregate, list ...events.Event) {
	r.t.Helper()
	drafts := make([]events.Draft, len(list))
	for i, e := range list {
		r.count[a]++
		drafts[i] = events.Draft{Metadata: events.Metadata{ID: events.NewID(), Time: time.Now(), Revision: r.count[a]}, Event: e}
	}
	seqs, err := r.log.Append(r.t.Context(), eventlog.Write{Aggregate: a, Expected: r.last[a], Drafts: drafts})
	if err != nil {
		r.t.Fatal(err)
	}
	r.last[a] = seqs[0]
}

// running tells how far whoever answers is.
func (r *rig) running() (search.Status, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	return r.client.Status(ctx)
}

// current waits until searches find all that the log has.
func (r *rig) current() {
	r.t.Helper()
	head := testkit.Head(r.t, r.log)
	err := testkit.Eventually(r.t.Context(), "search is current", func() error {
		s, err := r.running()
		switch {
		case err != nil:
			return err
		case s.State != searchindexer.StateRunning || s.AsOf.LagEvents > 0 || s.AsOf.Position.Sequence < head:
			return fmt.Errorf("the log ends at %d, and it is %+v", head, s)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// equal expects the index to be a fold of the log, document by document; nobody else may have it open.
func (r *rig) equal() {
	r.t.Helper()
	var engine search.Engine
	err := testkit.Eventually(r.t.Context(), "the index can be opened", func() (err error) {
		engine, err = r.open(r.t.Context())
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := engine.Close(); err != nil {
			r.t.Error(err)
		}
	}()
	wrong := 0
	want := r.fold()
	for a, doc := range want {
		got, err := engine.Document(r.t.Context(), a.Org, a.ID)
		if err != nil {
			r.t.Fatal(err)
		}
		if plain(r.t, got) != plain(r.t, doc) {
			if wrong++; wrong > 3 {
				continue // they tell enough
			}
			r.t.Errorf("%s:\n got %s\nwant %s", a, plain(r.t, got), plain(r.t, doc))
		}
	}
	if n, err := engine.Documents(r.t.Context()); err != nil || n != uint64(len(want)) {
		r.t.Errorf("the index has %d documents (%v), the log %d; %d are not as they should be", n, err, len(want), wrong)
	}
}

// plain is a document without the difference between none and empty.
func plain(t *testing.T, d *search.Document) string {
	t.Helper()
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(":null", ":[]").Replace(string(raw))
}

// fold is what the log says, from the beginning.
func (r *rig) fold() map[events.Aggregate]*search.Document {
	r.t.Helper()
	docs, erased := map[events.Aggregate]*search.Document{}, map[string]bool{}
	head := testkit.Head(r.t, r.log)
	for from := uint64(1); from <= head; {
		b, err := r.log.Block(r.t.Context(), from)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range b.Events {
			switch {
			case e.Sequence < from:
			case e.Kind == events.KindCustomer:
				erased[e.Org+"/"+e.Aggregate.ID] = true
			case r.parkedAt[e.Aggregate] > 0 && e.Sequence >= r.parkedAt[e.Aggregate]:
			case e.Kind == events.KindConversation:
				if docs[e.Aggregate] == nil {
					docs[e.Aggregate] = search.NewDocument(e.Aggregate)
				}
				if err := docs[e.Aggregate].Fold(e); err != nil {
					r.t.Fatal(err)
				}
			}
		}
		from = b.Next
	}
	for a, doc := range docs {
		if erased[a.Org+"/"+doc.Customer] {
			delete(docs, a)
		}
	}
	return docs
}

// suffering waits until the service has met a failure that it tells of.
func (r *rig) suffering(s *searchindexer.Service, words ...string) {
	r.t.Helper()
	err := testkit.Eventually(r.t.Context(), fmt.Sprintf("the indexer tells of %q", words), func() error {
		st := s.Status()
		said := []string{st.Reason}
		for _, p := range st.Partitions {
			said = append(said, p.Reason)
		}
		for _, w := range words {
			if slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, w) }) {
				return nil
			}
		}
		return fmt.Errorf("it is %s: %q", st.State, said)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// commits is how often an indexer has written something.
func commits(s search.Status) (n uint64) {
	for _, p := range s.Partitions {
		n += p.Commits
	}
	return n
}

// ask sends a request to the program, not through the relay.
func (r *rig) ask(method, path, body string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.t.Context()), method, r.program.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var said json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil || res.StatusCode >= http.StatusMultipleChoices {
		r.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, said, err)
	}
	return string(said)
}

// index is the name of the index that serves.
func (r *rig) index() string { return r.place.Name + "-v1" }

// remove does what the reasons tell an operator to do with an index that is of no use.
func (r *rig) remove() {
	r.t.Helper()
	if r.program != nil {
		r.ask(http.MethodDelete, "/"+r.index(), "")
		return
	}
	if err := os.RemoveAll(r.place.At); err != nil {
		r.t.Fatal(err)
	}
}

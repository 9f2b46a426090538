package searchindexer_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
)

// failure is something that befalls the indexer or its engine. After each the index is a fold of the log again.
type failure struct {
	name  string
	test  func(r *rig)
	bleve string // why it cannot befall the embedded engine; empty: it can
	alone bool   // the program is harmed, which others would notice
}

const noProgram = "it is in the indexer's own process: there is nothing between the two, and both are killed together"

var failures = []failure{
	{name: "IndexerKilled", test: indexerKilled},
	{name: "EngineKilled", test: engineKilled, bleve: noProgram, alone: true},
	{name: "ReadOnly", test: readOnly, bleve: "a full disk is told by the file system, see the tests of a full disk"},
	{name: "Busy", test: busy, bleve: noProgram},
	{name: "Slow", test: slow, bleve: noProgram},
	{name: "Torn", test: torn, bleve: noProgram},
	{name: "HalfOpen", test: halfOpen, bleve: noProgram},
	{name: "AliasOfTwo", test: aliasOfTwo, bleve: "a directory has no aliases"},
	{name: "AliasOfNone", test: aliasOfNone, bleve: "a directory has no aliases"},
	{name: "AliasIsAnIndex", test: aliasIsAnIndex, bleve: "a directory has no aliases"},
	{name: "IndexDeleted", test: indexDeleted, bleve: "files that are open cannot be deleted underneath"},
	{name: "OtherLog", test: otherLog},
	{name: "AheadOfTheLog", test: aheadOfTheLog},
	{name: "TwoIndexers", test: twoIndexers},
	{name: "Refused", test: refusedDocument, bleve: "it takes words of any length"},
	{name: "Coalesced", test: coalesced, bleve: "it has no requests to be counted: a commit is one batch"},
}

func TestFailures(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	for _, kind := range []string{embedded, searchengine.Elasticsearch, searchengine.OpenSearch} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var program *searchengine.Program
			if kind != embedded {
				program = searchengine.Start(t, kind)
			}
			t.Run("together", func(t *testing.T) {
				for _, f := range failures {
					if f.alone || kind == embedded && f.bleve != "" {
						continue
					}
					t.Run(f.name, func(t *testing.T) {
						t.Parallel()
						f.test(newRig(t, kind, program))
					})
				}
			})
			for _, f := range failures {
				if f.alone && (kind != embedded || f.bleve == "") {
					t.Run(f.name, func(t *testing.T) { f.test(newRig(t, kind, program)) }) //nolint:paralleltest // it harms the program
				}
			}
		})
	}
}

// finish expects that everything is made up for.
func (r *rig) finish(stop func()) {
	r.t.Helper()
	r.current()
	stop()
	r.equal()
}

// Killed again and again in the middle, another goes on where it was.
func indexerKilled(r *rig) {
	for range rounds(4) {
		r.write(150)
		c := r.child()
		testkit.Until(r.t, "it has written something", func() bool {
			s, err := r.running()
			return err == nil && commits(s) > 0
		})
		r.write(50)
		c.kill()
	}
	r.erase("org0", "c1")
	c := r.child()
	r.current()
	c.kill() // what is found may not be on the disk yet
	r.write(50)
	_, stop := r.start(r.t)
	r.finish(stop)
}

// While the program is dead searches are refused at once, with the lag, and everything is made up for when it is back.
func engineKilled(r *rig) {
	r.write(100)
	s, stop := r.start(r.t)
	r.current()
	for range rounds(1) {
		r.write(100)
		r.program.Kill()
		r.write(100)
		r.refused("it was killed")
		if st, err := r.running(); err != nil || st.AsOf.LagEvents == 0 || st.AsOf.Position.IsZero() || st.Healthy {
			r.t.Errorf("while the engine is away: %+v, %v", st, err)
		}
		r.suffering(s, "away")
		if err := r.program.Run(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		r.write(20)
		r.current()
	}
	r.finish(stop)
}

// refused waits until searches are refused for an engine that is away, by the rules.
func (r *rig) refused(why string) {
	r.t.Helper()
	err := testkit.Eventually(r.t.Context(), "searches are refused: "+why, func() error {
		_, err := r.client.Search(r.t.Context(), search.Request{Org: "org0", Q: "router"})
		f, _ := errors.AsType[*fault.Fault](err)
		if f == nil || f.Kind != fault.Unavailable || f.Code != "search_unavailable" || f.RetryAfter <= 0 || !strings.Contains(f.Hint, "events and") {
			return fmt.Errorf("a search: %w", err)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	// Nor does anybody wait for a write of theirs to be found.
	own := r.log.Position(events.Aggregate{Org: "org0", Kind: events.KindConversation, ID: "c0"}, r.log.Head()+1_000_000)
	if _, err := r.client.Search(r.t.Context(), search.Request{Org: "org0", Q: "router", MinPosition: own}); fault.CodeOf(err) != "search_unavailable" {
		r.t.Errorf("a search for an own write: %v", err)
	}
}

// An engine whose disk is nearly full takes no writes. Searches go on; when there is room again it is made up for.
func readOnly(r *rig) {
	r.write(100)
	s, stop := r.start(r.t)
	r.current()
	settings := "/" + r.index() + "/_settings"
	r.ask(http.MethodPut, settings, `{"index.blocks.read_only_allow_delete": true}`)
	r.write(100)
	r.erase("org1", "c2")
	r.suffering(s, "blocked by", "read-only")
	if a, err := r.client.Search(r.t.Context(), search.Request{Org: "org0", Q: "case"}); err != nil || a.Total == 0 || a.AsOf.LagEvents == 0 {
		r.t.Errorf("a search of an index that takes no writes: %+v, %v", a, err)
	}
	r.ask(http.MethodPut, settings, `{"index.blocks.read_only_allow_delete": null}`)
	r.finish(stop)
}

// An engine that has too much to do for most requests still gets everything.
func busy(r *rig) {
	var n atomic.Uint64
	r.relay.instead(func(req *http.Request) int {
		if strings.HasSuffix(req.URL.Path, "/_bulk") && n.Add(1)%3 != 0 {
			return http.StatusTooManyRequests
		}
		return 0
	})
	_, stop := r.start(r.t)
	r.write(300)
	r.erase("org0", "c3")
	r.current() // in the storm
	if n.Load() < 3 {
		r.t.Errorf("there were only %d requests", n.Load())
	}
	r.relay.instead(nil)
	r.write(20)
	r.finish(stop)
}

// A slow connection makes it late and nothing else.
func slow(r *rig) {
	_, stop := r.start(r.t)
	r.write(50)
	r.current()
	r.relay.slow()
	r.write(150)
	r.current()
	r.relay.heal()
	r.write(20)
	r.finish(stop)
}

// Connections that break at any moment, with a request or its answer half way, lose and double nothing.
func torn(r *rig) {
	_, stop := r.start(r.t)
	r.write(100)
	r.current()
	for _, bytes := range []int64{2_000, 9_000, 30_000} {
		r.relay.tear(bytes)
		before := r.relay.tried()
		r.write(100)
		testkit.Until(r.t, "several writes were tried", func() bool { return r.relay.tried() > before+3 })
		r.relay.cut()
		r.write(50)
		r.relay.heal()
		r.current()
	}
	r.finish(stop)
}

// A connection that is open and says nothing does not hold up anybody for longer than a request may take.
func halfOpen(r *rig) {
	r.write(50)
	s, stop := r.start(r.t)
	r.current()
	r.relay.mute()
	r.write(100)
	r.suffering(s, "away")
	r.refused("nothing is heard of it")
	r.relay.heal()
	r.finish(stop)
}

// Who searches must not find half of one index and half of another: an alias of two is for the operator to settle.
func aliasOfTwo(r *rig) {
	r.fill()
	r.ask(http.MethodPut, "/"+r.place.Name+"-v7", `{"aliases": {"`+r.place.Name+`": {}}}`)
	r.refusedUntil(r.place.Name+" leads to", func() {
		r.ask(http.MethodDelete, "/"+r.place.Name+"-v7", "")
	})
}

// An index that no alias leads to is left alone until somebody says what it is.
func aliasOfNone(r *rig) {
	r.fill()
	r.ask(http.MethodPost, "/_aliases", `{"actions": [{"remove": {"index": "`+r.index()+`", "alias": "`+r.place.Name+`"}}]}`)
	r.refusedUntil("does not lead to it", func() {
		r.ask(http.MethodPost, "/_aliases", `{"actions": [{"add": {"index": "`+r.index()+`", "alias": "`+r.place.Name+`"}}]}`)
	})
}

// An index has the name that the alias should have.
func aliasIsAnIndex(r *rig) {
	r.write(100)
	r.ask(http.MethodPut, "/"+r.place.Name, `{}`)
	r.refusedUntil("is an index", func() {
		r.ask(http.MethodDelete, "/"+r.place.Name, "")
	})
}

// fill has an indexer that ran and was stopped.
func (r *rig) fill() {
	r.t.Helper()
	r.write(100)
	_, stop := r.start(r.t)
	r.current()
	stop()
	r.write(50)
}

// refusedUntil expects that the index is not touched, with a reason, until the operator has done something about it.
func (r *rig) refusedUntil(reason string, mend func()) {
	r.t.Helper()
	s, stop := r.start(r.t)
	r.suffering(s, reason)
	if st := s.Status(); st.State != searchindexer.StateFailing || st.Healthy {
		r.t.Errorf("it is %+v", st)
	}
	_, err := r.client.Search(r.t.Context(), search.Request{Org: "org0", Q: "router"})
	if fault.CodeOf(err) != "search_unavailable" {
		r.t.Errorf("a search: %v", err)
	}
	mend()
	r.write(20)
	r.finish(stop)
}

// An index that is deleted under the indexer is made again and filled from the log, and never by the engine on its own,
// which would guess at what the fields are.
func indexDeleted(r *rig) {
	r.write(100)
	_, stop := r.start(r.t)
	r.current()
	r.ask(http.MethodDelete, "/"+r.index(), "")
	r.write(100)
	r.current()
	if mapping := r.ask(http.MethodGet, "/"+r.index()+"/_mapping", ""); !strings.Contains(mapping, `"dynamic":"strict"`) {
		r.t.Errorf("the index that is there now: %s", mapping)
	}
	r.finish(stop)
}

// An index that was made from another log is refused, and filled anew once it was removed.
func otherLog(r *rig) {
	r.fill()
	other := newRig(r.t, r.place.Kind, nil)
	other.program, other.relay, other.place = r.program, r.relay, r.place
	other.write(80)
	other.refusedUntil("belongs to another log", other.remove)
}

// An index that has read more of the log than there is, because an older copy of that was restored, goes no further.
func aheadOfTheLog(r *rig) {
	r.fromOlderLog()
	s, stop := r.start(r.t)
	r.suffering(s, "restored from an older copy")
	stop()
	r.remove()
	_, stop = r.start(r.t)
	r.write(20)
	r.finish(stop)
}

// One of two has the index. One that was paused and has lost it meanwhile spoils nothing when it goes on.
func twoIndexers(r *rig) {
	r.write(200)
	first := r.child()
	testkit.Until(r.t, "the first has begun", func() bool { s, err := r.running(); return err == nil && commits(s) > 0 })
	second, stop := r.start(r.t)
	testkit.Until(r.t, "the second stands by", func() bool { return second.Status().State == searchindexer.StateStandby })
	r.write(200)
	first.pause() // in the middle of something
	if r.program == nil {
		first.resume() // who is paused has the files all the same
		r.current()
		first.kill()
	} else {
		r.takenOver(second)
		r.write(100)
		first.resume()
		testkit.Until(r.t, "the first notices", func() bool { return strings.Contains(first.said(), "taken over") })
		r.write(100)
		r.takenOver(second)
		first.kill()
	}
	r.write(20)
	r.finish(stop)
}

// takenOver waits until a service of this process has applied all there is; whoever is paused may still be asked.
func (r *rig) takenOver(s *searchindexer.Service) {
	r.t.Helper()
	head := testkit.Head(r.t, r.log)
	testkit.Until(r.t, "the second has everything", func() bool {
		st := s.Status()
		for _, p := range st.Partitions {
			if p.Progress.Checkpoint < min(head, r.log.HeadOf(p.Partition)) {
				return false
			}
		}
		return st.State == searchindexer.StateRunning && len(st.Partitions) > 0
	})
}

// A document that the engine will never take parks its conversation, and no other of the same commit.
func refusedDocument(r *rig) {
	r.write(100)
	bad := events.Aggregate{Org: "org0", Kind: events.KindConversation, ID: "bad"}
	r.append(bad, events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelChat, Subject: "Long"},
		events.ConversationTagged{Tag: strings.Repeat("x", 40_000)}) // no term may be as long
	r.write(100)
	_, stop := r.start(r.t)
	r.current()
	parked, err := r.client.Parked(r.t.Context())
	if err != nil || len(parked) != 1 || parked[0].Aggregate != bad || !strings.Contains(parked[0].Error, "org0/bad") {
		r.t.Errorf("parked %+v, %v", parked, err)
	}
	r.parkedAt = map[events.Aggregate]uint64{bad: r.last[bad]}
	r.finish(stop)
}

// A conversation that was touched forty times is written once.
func coalesced(r *rig) {
	a := events.Aggregate{Org: "org0", Kind: events.KindConversation, ID: "busy"}
	r.append(a, events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelChat, Subject: "Much"})
	for i := range 39 {
		r.append(a, events.ConversationMessageReceived{MessageID: fmt.Sprintf("m%d", i), Text: "and another thing"})
	}
	r.write(40)
	_, stop := r.start(r.t)
	r.current()
	if times, bodies := r.relay.written("org0/busy"); times != 1 {
		r.t.Errorf("it was written %d times, in %d requests", times, bodies)
	}
	r.finish(stop)
}

// rounds is how often something is done; the long form is for make soak.
func rounds(n int) int { return n * soak() }

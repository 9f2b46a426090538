package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
)

const needles = 40 // words of which every conversation has one

// rebuildDesk is a desk whose search is rebuilt while people work and search.
type rebuildDesk struct {
	*fleet
	conversations int
	engine        string // of --search

	asked, waited, live, opened atomic.Int64
}

// searchCorpus is how many conversations there are: more in make soak.
func searchCorpus(t *testing.T) int {
	t.Helper()
	n := 1000
	if testing.Short() {
		n = 400
	}
	if v := os.Getenv("TIDEMARK_SEARCH_CONVERSATIONS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < needles {
			t.Fatalf("TIDEMARK_SEARCH_CONVERSATIONS=%s is no number of conversations", v)
		}
	}
	return n / needles * needles
}

// TestSearchIsRebuilt rebuilds the index of each engine with a live load, kills the process that does so twice, verifies,
// switches, goes back, and drops, while searches are asked all the time: each is answered whole, or, while nobody is there to
// answer, told when to ask again.
func TestSearchIsRebuilt(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"bleve", searchengine.Elasticsearch, searchengine.OpenSearch} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			at := filepath.Join(testkit.Dir(t), "search")
			if engine != "bleve" {
				at = searchengine.Start(t, engine).URL + "/rebuilt"
			}
			rebuildWhileSearching(t, at)
		})
	}
}

func rebuildWhileSearching(t *testing.T, engine string) {
	t.Helper()
	d := &rebuildDesk{fleet: newFleet(t), conversations: searchCorpus(t), engine: engine}
	mute := silence(t)
	api := d.start("api", "api", mute)
	index := func() { d.start("index", "search-indexer", mute, "--search", engine) }
	index()
	d.fill(api)
	d.settles()
	d.stop("index") // which writes all of it to disk; what a kill takes is read again, and is missing until then, as as_of says
	index()
	d.settles()

	ctx, cancel := context.WithCancel(t.Context())
	var people sync.WaitGroup
	defer people.Wait()
	defer cancel()
	for i := range 2 {
		people.Go(func() { d.searches(ctx, i) })
	}
	people.Go(func() { d.talks(ctx) })

	run := func(want string, args ...string) {
		t.Helper()
		var r testkit.Result
		testkit.Until(t, "there is somebody to ask", func() bool { // after a kill the next one takes a moment
			r = tidemark(t).Run(t, append([]string{"search"}, append(args, "--url", api.URL, "--key", d.key)...)...)
			return r.Code != exitUnavailable
		})
		if r.Code != exitOK || !strings.Contains(r.Stdout, want) {
			t.Fatalf("%v ended with %d, want %q in\n%s%s", args, r.Code, want, r.Stdout, r.Stderr)
		}
	}
	run("goes on in the server", "rebuild", "--no-wait", "--rate", strconv.Itoa(max(20, d.conversations/8)))
	for range 2 {
		before := d.progress()
		testkit.Until(t, "the rebuild gets on", func() bool { return d.progress() > before })
		d.kill("index")
		index()
	}
	run("At most", "status")
	run("", "throttle", "0")
	run("0 differences", "rebuild") // goes on watching the one that is under way
	run("0 differences", "verify")
	run("previous", "switch")
	d.speaks(40)
	run("previous", "rollback")
	d.speaks(40)
	run("serving", "drop")
	d.speaks(20)
	cancel()
	people.Wait()
	d.settles()
	t.Logf("%d searches while it was rebuilt, killed and switched: all whole; %d were told to ask again while nobody was there; %d messages meanwhile",
		d.asked.Load(), d.waited.Load(), d.live.Load())
	if d.asked.Load() == 0 || d.live.Load() == 0 {
		t.Error("nobody searched, or nobody spoke")
	}
}

// fill imports conversations of which each fortieth has the same needle.
func (d *rebuildDesk) fill(api *testkit.Process) {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "corpus.jsonl")
	f, err := os.Create(path)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := range d.conversations {
		_, err := fmt.Fprintf(f, `{"id":"c%d","channel":"chat","subject":"Case %d","customer":{"email":"c%d@example.com"},"messages":[`+
			`{"at":"2026-01-05T08:00:00Z","from":"customer","text":"the parcel with needle%d is late"},`+
			`{"at":"2026-01-05T08:01:00Z","from":"agent","text":"we look where it is, a moment please"}]}`+"\n", i, i, i, i%needles)
		if err != nil {
			d.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		d.t.Fatal(err)
	}
	if r := tidemark(d.t).Run(d.t, "import", path, "--url", api.URL, "--key", d.key); r.Code != exitOK {
		d.t.Fatalf("import ended with %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// settles waits until search has all.
func (d *rebuildDesk) settles() {
	d.t.Helper()
	for i := range needles {
		if err := testkit.Eventually(d.t.Context(), "search is whole", func() error { return d.whole(d.t.Context(), i) }); err != nil {
			d.t.Error(err)
		}
	}
	opened := float64(d.opened.Load())
	testkit.Until(d.t, "what was opened meanwhile is found", func() bool {
		a, err := d.at(d.key, "api")().Try(d.t.Context(), http.MethodGet, "/v1/search?q=live", nil)
		return err == nil && a.Status == http.StatusOK && a.Get("total") == opened
	})
}

var errAskAgain = errors.New("search is to be asked again")

// whole searches for a needle, and expects every conversation that has it.
func (d *rebuildDesk) whole(ctx context.Context, i int) error {
	a, err := d.at(d.key, "api")().Try(ctx, http.MethodGet, "/v1/search?limit=100&q="+url.QueryEscape(fmt.Sprintf("needle%d", i)), nil)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if a.Status == http.StatusServiceUnavailable && a.Str("code") == "search_unavailable" {
		d.waited.Add(1)
		return errAskAgain
	}
	want := d.conversations / needles
	items, _ := a.Get("items").([]any)
	if a.Status != http.StatusOK || a.Get("total") != float64(want) || len(items) != min(want, 100) {
		return fmt.Errorf("needle%d: %d with %d of %v, want %d of %d: %.300s", i, a.Status, len(items), a.Get("total"), min(want, 100), want, a.Raw)
	}
	d.asked.Add(1)
	return nil
}

// searches asks until ctx ends.
func (d *rebuildDesk) searches(ctx context.Context, i int) {
	later := time.NewTicker(100 * time.Millisecond)
	defer later.Stop()
	for ; ctx.Err() == nil; i++ {
		switch err := d.whole(ctx, i%needles); {
		case errors.Is(err, errAskAgain):
			select {
			case <-later.C:
			case <-ctx.Done():
			}
		case err != nil && ctx.Err() == nil:
			d.t.Error(err)
			return
		}
	}
}

// talks opens conversations and writes to them until ctx ends, some twenty times a second.
func (d *rebuildDesk) talks(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	conversation := ""
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var a testkit.Answer
		var err error
		if i%10 == 0 {
			a, err = d.at(d.key, "api")().Try(ctx, http.MethodPost, "/v1/conversations", map[string]any{
				"channel": "chat", "subject": fmt.Sprint("Live ", i), "customer": map[string]any{"email": fmt.Sprintf("live%d@example.com", i)},
				"message": map[string]any{"text": "hello"},
			})
			if err == nil && a.Status < 300 {
				conversation = a.Str("id")
				d.opened.Add(1)
			}
		} else {
			a, err = d.at(d.key, "api")().Try(ctx, http.MethodPost, "/v1/conversations/"+conversation+"/messages", map[string]any{
				"text": fmt.Sprint("live message ", i), "author": map[string]any{"type": "customer"},
			})
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil || a.Status >= 300 {
			d.t.Errorf("live: %d %s %v", a.Status, a.Raw, err)
			return
		}
		d.live.Add(1)
	}
}

// speaks waits until so many more messages were written, and so many more searches were answered.
func (d *rebuildDesk) speaks(n int64) {
	d.t.Helper()
	live, asked := d.live.Load(), d.asked.Load()
	testkit.Until(d.t, "people go on", func() bool { return d.live.Load() >= live+n && d.asked.Load() >= asked+n || d.t.Failed() })
}

// progress is how many events the rebuild has gone through.
func (d *rebuildDesk) progress() float64 {
	a, err := d.at(d.key, "api")().Try(d.t.Context(), http.MethodGet, "/v1/admin/rebuilds", nil)
	if err != nil || a.Status != http.StatusOK {
		return 0
	}
	done, _ := a.Get("rebuild.documents").(float64)
	return done
}

package bleve_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// childDir tells this test binary to be the process that is killed.
const childDir = "TIDEMARK_TEST_BLEVE_DIR"

// crashLog is the same in both processes.
func crashLog() *searchtest.Log {
	log := &searchtest.Log{}
	for i := range 1500 {
		a := searchtest.Conversation("org", fmt.Sprintf("c%d", i%300))
		if i < 300 {
			log.Append(a, events.ConversationOpened{CustomerID: "ann", Channel: events.ChannelChat, Subject: fmt.Sprintf("Case %d", i)})
		}
		log.Append(a, events.ConversationMessageReceived{MessageID: fmt.Sprintf("m%d", i), Text: "the router blinks red again"})
	}
	return log
}

// TestCrashChild is the child of TestKilled: it indexes until it is killed, flushes now and then, and says after each
// flush how far it is.
func TestCrashChild(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(childDir)
	if dir == "" {
		return // not the child: TestKilled starts it with a directory
	}
	log := crashLog()
	engine := open(t, dir, log)
	for partition := range searchtest.Partitions {
		s, err := engine.Open(t.Context(), partition)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range log.Of(partition, s.State().Progress.Checkpoint) {
			if err := s.Commit(t.Context(), projections.Commit{Events: []events.Recorded{e}, Progress: projections.Progress{Checkpoint: e.Sequence}}); err != nil {
				t.Fatal(err)
			}
			if e.Sequence%7 != 0 {
				continue
			}
			if err := engine.store.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(os.Stdout, "flushed %d %d\n", partition, e.Sequence)
		}
	}
	fmt.Fprintln(os.Stdout, "finished")
}

func TestKilled(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), crashLog()
	flushes := 6
	if testing.Short() {
		flushes = 2
	}
	for round := range 4 {
		done := killedAfter(t, dir, flushes+round)
		engine := open(t, dir, log)
		for partition, sequence := range done {
			s, err := engine.Open(t.Context(), partition)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.State().Progress.Checkpoint; got < sequence {
				t.Fatalf("round %d: partition %d had flushed %d, the index says %d", round, partition, sequence, got)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
	engine := open(t, dir, log)
	log.Drive(t.Context(), t, engine, 200)
	for a, want := range log.Fold(t) {
		got, err := engine.Document(t.Context(), a.Org, a.ID)
		if err != nil || got == nil || got.Revision != want.Revision || len(got.Messages) != len(want.Messages) {
			t.Fatalf("%s: %+v (%v), want %+v", a, got, err, want)
		}
	}
	if n, err := engine.Documents(t.Context()); n != 300 || err != nil {
		t.Fatalf("%d documents, %v", n, err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

// killedAfter starts a child, kills it while it commits, and gives what it had said to be on disk.
func killedAfter(t *testing.T, dir string, flushes int) map[int]uint64 {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	done := map[int]uint64{}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		var partition int
		var sequence uint64
		if _, err := fmt.Sscanf(lines.Text(), "flushed %d %d", &partition, &sequence); err == nil {
			done[partition] = sequence
			n++
		}
		if n == flushes {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child was to be killed, and ended by itself")
	}
	if len(done) == 0 {
		t.Fatal("the child flushed nothing")
	}
	return done
}

func TestHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir, &searchtest.Log{})
	_, err := bleve.Open(config(dir))
	if !errors.Is(err, projections.ErrHeld) {
		t.Errorf("a second opener: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir, &searchtest.Log{})
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func config(dir string) bleve.Config {
	return bleve.Config{Dir: dir, Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions}
}

// reopen opens what may be damaged.
func reopen(t *testing.T, c bleve.Config, log search.History) (*indexes.Set, error) {
	t.Helper()
	return bleve.OpenIndexes(t.Context(), c, log, slog.New(slog.DiscardHandler))
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	damage := func(pattern string, how func(t *testing.T, path string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			paths, err := filepath.Glob(filepath.Join(dir, "v1", pattern))
			if err != nil || len(paths) == 0 {
				t.Fatalf("%s: %v, %v", pattern, paths, err)
			}
			for _, p := range paths {
				how(t, p)
			}
		}
	}
	scribble := func(t *testing.T, path string) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("x", int(info.Size()))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	truncate := func(t *testing.T, path string) {
		t.Helper()
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	same := func(*bleve.Config) {}
	nothing := func(*testing.T, string) {}
	for name, test := range map[string]struct {
		damage func(*testing.T, string)
		change func(*bleve.Config)
		want   error
		either bool // refused, or good again by itself
	}{
		"scribbled meta":     {damage("index_meta.json", scribble), same, search.ErrCorrupt, false},
		"missing meta":       {damage("index_meta.json", remove), same, search.ErrCorrupt, false},
		"scribbled root":     {damage("store/root.bolt", scribble), same, search.ErrCorrupt, false},
		"empty root":         {damage("store/root.bolt", truncate), same, search.ErrCorrupt, false},
		"scribbled segments": {damage("store/*.zap", scribble), same, search.ErrCorrupt, true},
		"missing segments":   {damage("store/*.zap", remove), same, search.ErrCorrupt, true},
		"empty segments":     {damage("store/*.zap", truncate), same, search.ErrCorrupt, true},
		"another log":        {nothing, func(c *bleve.Config) { c.Incarnation = "other123" }, search.ErrIncarnation, false},
		"other partitions":   {nothing, func(c *bleve.Config) { c.Partitions = 8 }, search.ErrIncarnation, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, log := t.TempDir(), &searchtest.Log{}
			engine := open(t, dir, log)
			log.Append(searchtest.Conversation("org", "one"), events.ConversationOpened{Subject: "Hello"})
			log.Drive(t.Context(), t, engine, 10)
			if err := engine.Close(); err != nil {
				t.Fatal(err)
			}
			test.damage(t, dir)
			c := config(dir)
			test.change(&c)
			damaged, err := reopen(t, c, log)
			if err == nil && test.either { // an older snapshot stood in: it is whole, progress included, and goes on from there
				log.Drive(t.Context(), t, damaged, 10)
				if doc, err := damaged.Document(t.Context(), "org", "one"); err != nil || doc == nil {
					t.Errorf("not filled again: %+v, %v", doc, err)
				}
				if err := damaged.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "remove the directory "+dir) {
				t.Fatalf("opened with %v, want %v and what to do", err, test.want)
			}
			// Doing what it says helps, without another hand.
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			test.change(&c)
			again, err := reopen(t, c, log)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestHalfMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "v1.new", "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	engine := open(t, dir, &searchtest.Log{}) // killed while it was made the first time
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

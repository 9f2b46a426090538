package eventlog_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func openError(t *testing.T, c eventlog.Config) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	l, err := eventlog.Open(ctx, c)
	if err == nil {
		_ = l.Close()
		t.Fatal("opened")
	}
	return err.Error()
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q does not say %q", got, w)
		}
	}
}

// What was written is there after a restart, and the log is the same log.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := customer("o", "ann")
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir, Partitions: 7, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	last := mustAppend(t, l, write(a, 0, "one", "two"))[0]
	incarnation := l.Incarnation()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), write(a, last, "x")); err == nil {
		t.Error("appended to a closed log")
	}
	if err := l.Wait(t.Context(), last+1); err == nil {
		t.Error("waited for a closed log")
	}
	if err := l.Tail(t.Context(), eventlog.Filter{}, last, nil, nil); err == nil {
		t.Error("followed a closed log")
	}
	l = open(t, eventlog.Config{Dir: dir, Incarnation: incarnation})
	if l.Incarnation() != incarnation || l.Partitions() != 7 || l.Head() != last || l.HeadOf(a.Partition(7)) != last || l.HeadTime().IsZero() {
		t.Errorf("incarnation %s, %d partitions, head %d", l.Incarnation(), l.Partitions(), l.Head())
	}
	wantNames(t, mustRead(t, l, a, 0), "one", "two")
	wantNames(t, scanned(t, l, 1, last, "o"), "one", "two")
}

func TestRefusesToOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, eventlog.Config{Dir: dir})
	wantText(t, openError(t, eventlog.Config{Dir: dir}), "in use by process", "stop it, or give another")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantText(t, openError(t, eventlog.Config{Dir: dir, Partitions: 5}), "has 4 partitions", "start with 4")
	wantText(t, openError(t, eventlog.Config{Dir: dir, Incarnation: "other"}), "another log")
	wantText(t, openError(t, eventlog.Config{}), "neither a data directory nor a NATS URL")
	wantText(t, openError(t, eventlog.Config{Dir: dir, Partitions: -1}), "choose 1 to")
	wantText(t, openError(t, eventlog.Config{Dir: dir, Listen: "nowhere"}), "host:port")
	wantText(t, openError(t, eventlog.Config{URL: "nats://ann:secret@127.0.0.1:1"}), "is a nats-server with JetStream running", "ann:xxxxx@")

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantText(t, openError(t, eventlog.Config{Dir: file}), "may write")
}

func TestForeignStreams(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		spoil func(*jetstream.StreamConfig)
		want  string
	}{
		"not ours":       {func(c *jetstream.StreamConfig) { c.Metadata = nil }, "not made by Tidemark"},
		"limits":         {func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "no limit of age"},
		"no batches":     {func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }, "allow_atomic"},
		"no live events": {func(c *jetstream.StreamConfig) { c.RePublish = nil }, "republish"},
		"another name":   {func(c *jetstream.StreamConfig) { c.Name = "OTHER" }, "no other stream on ev.>"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			url := testkit.NATS(t).ClientURL()
			l := open(t, eventlog.Config{URL: url})
			js, err := jetstream.New(l.Conn())
			if err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(t.Context(), "EVENTS")
			if err != nil {
				t.Fatal(err)
			}
			config := s.CachedInfo().Config
			if err := js.DeleteStream(t.Context(), "EVENTS"); err != nil {
				t.Fatal(err)
			}
			c.spoil(&config)
			// The server deletes the old one's files in its own time, and makes no new ones meanwhile.
			if err := testkit.Eventually(t.Context(), "the stream is made anew", func() error {
				_, err := js.CreateStream(t.Context(), config)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			wantText(t, openError(t, eventlog.Config{URL: url}), c.want)
		})
	}
}

// A server that comes back with another stream is not written to.
func TestStreamReplaced(t *testing.T) {
	t.Parallel()
	r, l := throughRelay(t)
	mustAppend(t, l, write(customer("o", "ann"), 0, "one"))
	other := open(t, eventlog.Config{URL: "nats://" + r.upstream})
	replaceStream(t, other)
	open(t, eventlog.Config{URL: "nats://" + r.upstream})
	r.cut()
	for {
		_, err := l.Append(t.Context(), write(customer("o", "bob"), 99, "x")) // the expectation keeps it from being written meanwhile
		if err != nil && strings.Contains(err.Error(), "not the one that was opened") {
			break
		}
		if pause(t.Context()); t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Read(t.Context(), customer("o", "ann"), 0); err == nil {
		t.Error("read a log that was replaced")
	}
}

// replaceStream removes the stream; who opens the log next makes another one.
func replaceStream(t *testing.T, l *eventlog.Log) {
	t.Helper()
	js, err := jetstream.New(l.Conn())
	if err == nil {
		err = js.DeleteStream(t.Context(), "EVENTS")
	}
	if err != nil {
		t.Fatal(err)
	}
}

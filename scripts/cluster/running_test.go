package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// running is a cluster of real processes, and who uses it.
type running struct {
	t   *testing.T
	dir string
	key string
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{t: t, dir: testkit.Dir(t)}
	logs := &strings.Builder{}
	c := &cluster{
		dir:      r.dir,
		tidemark: testkit.Build(t, "github.com/tidemark-desk/tidemark/cmd/tidemark").Path,
		nats:     testkit.Build(t, "github.com/nats-io/nats-server/v2").Path,
		flags:    []string{"--visitor-rate-limit", "0", "--drain-delay", "0s"},
		logger:   slog.New(slog.NewTextHandler(logs, nil)),
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx, 0) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the cluster ended: %v", err)
		}
		if t.Failed() {
			t.Logf("the cluster said:\n%s", logs)
			r.tails()
		}
	})
	testkit.Until(t, "every process has started", func() bool { return len(r.layout().PIDs) == nodes+len(targets) })
	testkit.Until(t, "the api has made the first org", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, "api", "server.url"))
		return err == nil
	})
	key, err := os.ReadFile(filepath.Join(r.dir, "api", "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	r.key = strings.TrimSpace(string(key))
	return r
}

// layout is cluster.json as it is now; empty when it is not there yet.
func (r *running) layout() layout {
	var l layout
	raw, err := os.ReadFile(filepath.Join(r.dir, "cluster.json"))
	if err == nil {
		err = json.Unmarshal(raw, &l)
	}
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return l
}

func (r *running) client(target, key string) *testkit.Client {
	c := testkit.NewClient(r.layout().HTTP[target], key)
	r.t.Cleanup(c.Close)
	return c
}

// kill ends a process at once, and returns when another has taken its place.
func (r *running) kill(name string) {
	r.t.Helper()
	pid := r.layout().PIDs[name]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatalf("kill %s, process %d: %v", name, pid, err)
	}
	testkit.Until(r.t, name+" is started again", func() bool { return r.layout().PIDs[name] != pid })
}

// whole waits until the log can lose another server: three replicas survive the loss of one, and while one of them is not
// current another one is lost already. It gives the server that leads the log.
func (r *running) whole() (leader string) {
	r.t.Helper()
	conn, err := nats.Connect(strings.Join(r.layout().NATS, ","), nats.MaxReconnects(-1))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		r.t.Fatal(err)
	}
	err = testkit.Eventually(r.t.Context(), "the log is whole", func() error {
		ctx, cancel := context.WithTimeout(r.t.Context(), testkit.Attempt)
		defer cancel()
		if _, err := js.AccountInfo(ctx); err != nil { // the leader of all servers answers it
			return fmt.Errorf("nobody leads the servers: %w", err)
		}
		s, err := js.Stream(ctx, "EVENTS")
		if err != nil {
			return err
		}
		leader, err = wholeGroup(s.CachedInfo().Cluster)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return leader
}

// wholeGroup tells who leads the servers of a stream, or what they lack.
func wholeGroup(c *jetstream.ClusterInfo) (leader string, err error) {
	if c == nil || c.Leader == "" {
		return "", fmt.Errorf("it has no leader: %+v", c)
	}
	if len(c.Replicas) != nodes-1 {
		return "", fmt.Errorf("%s has %d replicas", c.Leader, len(c.Replicas))
	}
	for _, p := range c.Replicas {
		if !p.Current || p.Offline || p.Lag > 0 {
			return "", fmt.Errorf("%s leads, and is not followed by %+v", c.Leader, *p)
		}
	}
	return c.Leader, nil
}

// noise is what a nats-server says of each connection that comes, goes, or cannot be made to a server that is gone.
var noise = regexp.MustCompile(`\[(INF|DBG)\].* - (rid|cid|lid):|Error trying to connect to route|Route connection`)

// tails shows the end of what every process wrote, without noise.
func (r *running) tails() {
	const most = 60                                         // lines
	logs, _ := filepath.Glob(filepath.Join(r.dir, "*.log")) // the pattern is well-formed
	for _, path := range logs {
		raw, err := os.ReadFile(path)
		if err != nil {
			r.t.Log(err)
			continue
		}
		var kept []string
		for line := range strings.Lines(string(raw)) {
			if !noise.MatchString(line) {
				kept = append(kept, line)
			}
		}
		r.t.Logf("%s:\n%s", filepath.Base(path), strings.Join(kept[max(0, len(kept)-most):], ""))
	}
}

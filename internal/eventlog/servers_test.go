package eventlog_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

func open(tb testing.TB, c eventlog.Config) *eventlog.Log {
	tb.Helper()
	l, err := eventlog.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// serverBinary builds nats-server, the version of go.mod, once for all tests.
var serverBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nats-server")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build nats-server: %w: %s", err, out)
	}
	builtDir = dir
	return path, nil
})

var builtDir string

func removeServerBinary() {
	if builtDir != "" {
		_ = os.RemoveAll(builtDir)
	}
}

// node is one nats-server process of a cluster.
type node struct {
	name   string
	config string
	port   int
	cmd    *exec.Cmd
	log    *bytes.Buffer
}

type cluster struct{ nodes []*node }

// startCluster runs three nats-servers that know each other.
func startCluster(tb testing.TB) *cluster {
	tb.Helper()
	binary, err := serverBinary()
	if err != nil {
		tb.Fatal(err)
	}
	c := &cluster{}
	ports := freePorts(tb, 6)
	for i := range 3 {
		dir := tb.TempDir()
		n := &node{name: fmt.Sprint("n", i), port: ports[i], config: filepath.Join(dir, "nats.conf")}
		routes := []string{}
		for j := range 3 {
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[3+j]))
		}
		conf := fmt.Sprintf(`
server_name: %s
listen: 127.0.0.1:%d
max_payload: 8MB
jetstream { store_dir: %q, sync_interval: always }
cluster { name: test, listen: 127.0.0.1:%d, routes: [%s] }
`, n.name, n.port, filepath.Join(dir, "data"), ports[3+i], strings.Join(routes, ", "))
		if err := os.WriteFile(n.config, []byte(conf), 0o600); err != nil {
			tb.Fatal(err)
		}
		c.nodes = append(c.nodes, n)
		n.start(tb, binary)
	}
	tb.Cleanup(func() {
		for _, n := range c.nodes {
			n.kill()
			if tb.Failed() && os.Getenv("NATS_LOG") != "" {
				tb.Logf("%s:\n%s", n.name, n.log)
			}
		}
	})
	return c
}

func (n *node) start(tb testing.TB, binary string) {
	tb.Helper()
	n.log = &bytes.Buffer{}
	n.cmd = exec.Command(binary, "-c", n.config)
	n.cmd.Stderr, n.cmd.Stdout = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
}

// restart starts a node that was killed, and returns when it takes connections.
func (n *node) restart(tb testing.TB) {
	tb.Helper()
	binary, err := serverBinary()
	if err != nil {
		tb.Fatal(err)
	}
	n.start(tb, binary)
	for {
		nc, err := nats.Connect(n.url())
		if err == nil {
			nc.Close()
			return
		}
		if pause(tb.Context()); tb.Context().Err() != nil {
			tb.Fatal(err)
		}
	}
}

func (n *node) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", n.port) }

// kill is kill -9 by the process's id.
func (n *node) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

func (c *cluster) url() string {
	urls := []string{}
	for _, n := range c.nodes {
		urls = append(urls, n.url())
	}
	return strings.Join(urls, ",")
}

// leader is the running node that leads the stream, once there is one.
func (c *cluster) leader(tb testing.TB) *node {
	tb.Helper()
	nc, err := nats.Connect(c.url())
	if err != nil {
		tb.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(time.Second)) // a request that comes while there is no leader is never answered
	if err != nil {
		tb.Fatal(err)
	}
	for {
		info, err := js.StreamInfo("EVENTS")
		if err == nil && info.Cluster != nil {
			i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == info.Cluster.Leader && n.cmd != nil })
			if i >= 0 {
				return c.nodes[i]
			}
		}
		if pause(tb.Context()); tb.Context().Err() != nil {
			tb.Fatalf("the stream has no leader: %v", err)
		}
	}
}

func freePorts(tb testing.TB, n int) []int {
	tb.Helper()
	var ports []int
	for range n {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

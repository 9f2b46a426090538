// Command cluster runs Tidemark for real on one machine: three nats-servers that replicate the log (R3, synced on
// every write), one PostgreSQL, a search engine when this machine can run one, and one process per target. Each process that
// dies is started again.
//
// It is for trying things and for tests, not for production: everything listens on 127.0.0.1 and shares one disk.
// DIR/cluster.json says where everything is, with the process ids, so that one of them can be ended on purpose.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	nodes = 3

	killAfter   = 20 * time.Second // a process that was told to end
	stopTimeout = 70 * time.Second // for all: targets, nodes, database
)

var targets = []string{"api", "chat", "routing", "workflow", "survey", "search-indexer", "projections"}

// layout is DIR/cluster.json.
type layout struct {
	NATS     []string          `json:"nats"`
	Postgres string            `json:"postgres"`
	HTTP     map[string]string `json:"http"`             // address of each target
	Search   string            `json:"search,omitempty"` // the search engine; empty: the index is embedded
	PIDs     map[string]int    `json:"pids"`             // of each process, as it is now
}

type cluster struct {
	dir, tidemark, nats string
	engine, script      string   // the search engine, and what runs it; none when empty
	flags               []string // of every target, besides its own
	logger              *slog.Logger
	mu                  sync.Mutex
	layout              layout
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cluster{logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&c.dir, "dir", "./cluster", "directory for everything the cluster keeps")
	flag.StringVar(&c.tidemark, "tidemark", "bin/tidemark", "the tidemark program")
	flag.StringVar(&c.nats, "nats-server", "", "the nats-server program; built into DIR when empty")
	flag.StringVar(&c.engine, "engine", "opensearch", "the search engine: opensearch, elasticsearch, or none for the embedded index")
	flag.StringVar(&c.script, "search-engine", "scripts/search-engine", "what runs it")
	port := flag.Int("port", 8080, "port of the api; the other targets follow it; 0: any free ports")
	flag.Parse()
	if err := c.run(ctx, *port); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func (c *cluster) run(ctx context.Context, port int) error {
	if err := os.MkdirAll(c.dir, 0o711); err != nil { //nolint:gosec // the database runs as another user and passes through
		return err
	}
	if c.nats == "" {
		c.nats = filepath.Join(c.dir, "nats-server")
		c.logger.InfoContext(ctx, "building nats-server")
		build := exec.CommandContext(ctx, "go", "build", "-o", c.nats, "github.com/nats-io/nats-server/v2") //nolint:gosec // a path that the operator gave
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build nats-server: %w\n%s", err, out)
		}
	}
	hasEngine := c.findEngine(ctx)
	ports, err := c.ports(ctx, port)
	if err != nil {
		return err
	}
	pg, err := postgres.Start(ctx, postgres.Config{Dir: c.dir, Logger: c.logger})
	if err != nil {
		return err
	}
	c.layout = layout{Postgres: pg.URL(), HTTP: map[string]string{}, PIDs: map[string]int{}}
	life := context.WithoutCancel(ctx) // Ctrl-C reaches us alone, and we stop the parts in order
	services, log := run.NewGroup(life, c.logger), run.NewGroup(life, c.logger)
	stop := func() error { // what stands on others before them
		stopping, cancel := context.WithTimeout(life, stopTimeout)
		defer cancel()
		return errors.Join(services.Stop(stopping), log.Stop(stopping), pg.Stop(stopping))
	}
	if err := c.startNodes(log, ports[len(targets):]); err != nil {
		return errors.Join(err, stop())
	}
	if hasEngine {
		if err := c.startEngine(ctx, log); err != nil {
			return errors.Join(err, stop())
		}
	}
	for i, target := range targets {
		c.startTarget(services, target, ports[i])
	}
	c.logger.InfoContext(ctx, "the cluster is up", "api", c.layout.HTTP["api"], "chat", c.layout.HTTP["chat"], "search", c.layout.Search, "layout", filepath.Join(c.dir, "cluster.json"))

	<-ctx.Done()
	return stop()
}

func (c *cluster) startNodes(group *run.Group, ports []int) error {
	var routes []string
	for n := range nodes {
		c.layout.NATS = append(c.layout.NATS, fmt.Sprintf("nats://127.0.0.1:%d", ports[2*n]))
		routes = append(routes, fmt.Sprintf("nats-route://127.0.0.1:%d", ports[2*n+1]))
	}
	for n := range nodes {
		name := fmt.Sprintf("nats-%d", n+1)
		conf := fmt.Sprintf(`server_name: %s
listen: "127.0.0.1:%d"
max_payload: 8MB
jetstream { store_dir: %q, sync_interval: always }
cluster { name: tidemark, listen: "127.0.0.1:%d", routes: [%s] }
`, name, ports[2*n], filepath.Join(c.dir, name), ports[2*n+1], strings.Join(routes, ", "))
		path := filepath.Join(c.dir, name+".conf")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			return err
		}
		group.Go(name, c.process(name, c.nats, "-c", path))
	}
	return nil
}

func (c *cluster) startTarget(group *run.Group, target string, port int) {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	c.mu.Lock()
	c.layout.HTTP[target] = "http://" + address
	c.mu.Unlock()
	args := append([]string{
		"serve", "--targets", target, "--data", filepath.Join(c.dir, target), "--listen", address,
		"--nats", strings.Join(c.layout.NATS, ","), "--replicas", strconv.Itoa(nodes), "--postgres", c.layout.Postgres,
	}, c.flags...)
	if target == "search-indexer" && c.layout.Search != "" {
		args = append(args, "--search", c.layout.Search)
	}
	group.Go(target, c.process(target, c.tidemark, args...))
}

// process runs a program until ctx ends; its output goes to DIR/<name>.log.
func (c *cluster) process(name, program string, args ...string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		out, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = out.Close() }()
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us alone
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = killAfter
		if err := cmd.Start(); err != nil {
			return err
		}
		if err := c.note(name, cmd.Process.Pid); err != nil {
			c.logger.WarnContext(ctx, "cluster.json is not up to date", "error", err)
		}
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s ended: %w", name, err)
		}
		if ctx.Err() == nil {
			return fmt.Errorf("%s ended by itself", name)
		}
		return nil
	}
}

// note writes cluster.json in one step, so that a reader never sees half of it.
func (c *cluster) note(name string, pid int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.layout.PIDs = maps.Clone(c.layout.PIDs)
	c.layout.PIDs[name] = pid
	raw, err := json.MarshalIndent(c.layout, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, "cluster.json")
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Package searchengine gives tests a real Elasticsearch or OpenSearch in a process of its own.
//
// A program listens on a port that is its own until the test ends, and keeps what it has in a directory, so that it can be
// killed and started again as the same one. It never outlives the test binary, however that ends. It needs Java and Maven,
// as scripts/search-engine does: a test that wants a program and cannot have it fails, and says what to install.
//
// It is for tests alone: the product must not import it.
package searchengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// The kinds of program.
const (
	Elasticsearch = "elasticsearch"
	OpenSearch    = "opensearch"
)

const (
	fetchPatience = 10 * time.Minute // for a slow network, once
	startPatience = 3 * time.Minute  // for a machine that has much else to do
)

// Program is one search engine.
type Program struct {
	URL string

	kind string
	dir  string
	port port

	mu      sync.Mutex
	process *process // nil while it does not run
}

var shared struct {
	sync.Mutex
	programs map[string]*Program
}

// Shared is the program of a kind that all tests of the binary have in common: nobody may harm it. The package must hand
// its TestMain to testkit.Main.
func Shared(tb testing.TB, kind string) *Program {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if p := shared.programs[kind]; p != nil {
		return p
	}
	p, err := start(context.WithoutCancel(tb.Context()), kind)
	if err != nil {
		tb.Fatal(err)
	}
	if shared.programs == nil {
		shared.programs = map[string]*Program{}
	}
	shared.programs[kind] = p
	testkit.AtEnd(tb, p.end)
	return p
}

// Start is a program for this test alone, to be killed and started again by it.
func Start(tb testing.TB, kind string) *Program {
	tb.Helper()
	p, err := start(tb.Context(), kind)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.end(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

func start(ctx context.Context, kind string) (*Program, error) {
	script, err := script()
	if err != nil {
		return nil, err
	}
	fetching, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	if out, err := exec.CommandContext(fetching, script, "fetch", kind).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("these tests run on a real %s: %w\n%s", kind, err, out)
	}
	dir, err := testkit.NewDir()
	if err != nil {
		return nil, err
	}
	p := &Program{kind: kind, dir: dir}
	if p.port, err = take(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.URL = "http://127.0.0.1:" + strconv.Itoa(p.port.number)
	if err := p.Run(ctx); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// Run starts the program again that was killed, on the directory that it left, and returns when it answers.
func (p *Program) Run(ctx context.Context) error {
	script, err := script()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		return fmt.Errorf("%s runs already", p.kind)
	}
	log := filepath.Join(p.dir, "log")
	p.process, err = launch(log, p.dir, script, "run", p.kind, filepath.Join(p.dir, "data"), strconv.Itoa(p.port.number))
	if err != nil {
		return fmt.Errorf("start %s: %w", p.kind, err)
	}
	if err := p.answers(ctx); err != nil {
		said, _ := os.ReadFile(log)
		return fmt.Errorf("start %s: %w; it said:\n%s", p.kind, err, said[max(0, len(said)-4000):])
	}
	return nil
}

// answers returns when it is the program that answers on its port.
func (p *Program) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ask(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.process.gone:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

func (p *Program) ask(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/_cluster/health?wait_for_status=yellow&timeout=1s", http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var is struct {
		Name string `json:"cluster_name"`
	}
	if err := json.NewDecoder(res.Body).Decode(&is); err != nil {
		return err
	}
	if want := p.kind + "-" + strconv.Itoa(p.port.number); is.Name != want || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with %d as %q, and is to be %q", p.URL, res.StatusCode, is.Name, want)
	}
	return nil
}

// Kill ends the program at once, as a power cut would, and returns when it is gone.
func (p *Program) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		p.process.kill()
		p.process = nil
	}
}

// end leaves nothing of it.
func (p *Program) end() error {
	p.Kill()
	return errors.Join(os.RemoveAll(p.dir), p.port.release())
}

// script is scripts/search-engine, wherever in the repository the test runs.
func script() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, "scripts", "search-engine")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("there is no scripts/search-engine above the test")
		}
		dir = up
	}
}

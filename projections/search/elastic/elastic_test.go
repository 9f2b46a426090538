package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

// program is a real search engine in a process of its own, shared by the tests of this binary.
type program struct {
	kind string
	once sync.Once
	url  string
	err  error
	stop func()
}

var programs = map[string]*program{"elasticsearch": {kind: "elasticsearch"}, "opensearch": {kind: "opensearch"}}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, p := range programs {
		if p.stop != nil {
			p.stop()
		}
	}
	os.Exit(code)
}

func (p *program) start(tb testing.TB) string {
	tb.Helper()
	p.once.Do(func() { p.url, p.stop, p.err = launch(p.kind) })
	if p.err != nil {
		tb.Fatal(p.err)
	}
	return p.url
}

// launch runs a search engine on a port that is free now.
func launch(kind string) (string, func(), error) {
	dir, err := os.MkdirTemp("", "tidemark-"+kind)
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log")) //nolint:gosec // a directory of ours
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("../../../scripts/search-engine", "run", kind, dir, fmt.Sprint(port)) //nolint:gosec,noctx // it ends with the binary
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) //nolint:forbidigo // for all tests of the binary
	defer cancel()
	err = testkit.Eventually(ctx, kind+" answers", func() error {
		res, err := http.Get(url) //nolint:gosec,noctx // ours
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		stop()
		return "", nil, fmt.Errorf("%w\n%s", err, said)
	}
	return url, stop, nil
}

func freePort() (int, error) {
	for port := 9231; port < 9290; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // closed at once
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no port from 9231 to 9289 is free")
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for kind, p := range programs {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := p.start(t)
			searchtest.Run(t, func(tb testing.TB, where string, log search.History) search.Engine {
				tb.Helper()
				store, err := elastic.Open(tb.Context(), elastic.Config{
					URL: url, Name: name(where), Incarnation: searchtest.Incarnation, Partitions: searchtest.Partitions,
					Lease: 200 * time.Millisecond,
				})
				if err != nil {
					tb.Fatalf("open the index: %v", err)
				}
				return searchtest.Open(tb, store, log)
			})
		})
	}
}

// name is an index for a directory that outlives engines.
func name(where string) string {
	return "t" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(where))
}

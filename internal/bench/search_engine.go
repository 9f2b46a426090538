package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
)

// searchEngine is one to measure.
type searchEngine struct {
	name  string
	at    string        // of --search
	fresh time.Duration // how long its refresh may keep what is written from being found
	raw   func(ctx context.Context, dir string) (rawWrites, error)
	find  func(ctx context.Context) (rawFinds, error) // of what serves; no server has it meanwhile
	drop  func(ctx context.Context) error
}

// rawWrites is an empty index, and what it does by itself with documents as Tidemark lays them out.
type rawWrites interface {
	Prepare(docs []*search.Document) (write func(context.Context) error, err error)
	Documents(ctx context.Context) (uint64, error)
	Close() error
}

// rawFinds asks an index by itself.
type rawFinds interface {
	Find(ctx context.Context, q search.Query) (total uint64, ids []string, err error)
	Close() error
}

// searchEngines are the embedded one, and those that were asked for. stop ends what was started, and removes what was made.
func searchEngines(ctx context.Context, o Options, dir string) (list []searchEngine, stop func() error, err error) {
	var ends []func() error
	stop = func() (err error) {
		for _, end := range slices.Backward(ends) {
			err = errors.Join(err, end())
		}
		return err
	}
	list = []searchEngine{embeddedEngine(filepath.Join(dir, "search"))}
	urls := slices.Clone(o.Search)
	for i, kind := range o.Start {
		o.Say("starting %s", kind)
		at, end, err := startEngine(ctx, kind, filepath.Join(dir, "engine-"+strconv.Itoa(i)))
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		ends = append(ends, end)
		urls = append(urls, at)
	}
	for _, at := range urls {
		e, err := remoteEngine(ctx, at)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		ends = append(ends, func() error { return e.drop(context.WithoutCancel(ctx)) })
		list = append(list, e)
	}
	return list, stop, nil
}

func embeddedEngine(dir string) searchEngine {
	return searchEngine{
		name: "Bleve", at: dir,
		raw:  func(_ context.Context, dir string) (rawWrites, error) { return bleve.MakeRaw(dir) },
		find: func(context.Context) (rawFinds, error) { return bleve.OpenRaw(dir) },
		drop: func(context.Context) error { return os.RemoveAll(dir) },
	}
}

// remoteEngine gives the index a name that nobody else has.
func remoteEngine(ctx context.Context, at string) (searchEngine, error) {
	cfg, err := elastic.ParseURL(at, "")
	if err != nil {
		return searchEngine{}, fault.Newf(fault.Invalid, "flag_invalid", "--search: %v", err)
	}
	cfg.Name += "-bench-" + strings.ToLower(events.NewID())
	own, err := url.Parse(at)
	if err != nil {
		return searchEngine{}, fmt.Errorf("search engine: %w", err)
	}
	own.Path = "/" + cfg.Name
	name, err := nameOf(ctx, at)
	if err != nil {
		return searchEngine{}, err
	}
	return searchEngine{
		name: name, at: own.String(), fresh: time.Second,
		raw: func(ctx context.Context, _ string) (rawWrites, error) {
			r, err := elastic.OpenRaw(cfg)
			if err != nil {
				return nil, err
			}
			return r, r.Make(ctx)
		},
		find: func(context.Context) (rawFinds, error) { return elastic.OpenRaw(cfg) },
		drop: func(ctx context.Context) error {
			r, err := elastic.OpenRaw(cfg)
			if err != nil {
				return err
			}
			return errors.Join(r.Drop(ctx), r.Close())
		},
	}, nil
}

// nameOf asks an engine what it is.
func nameOf(ctx context.Context, at string) (string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return "", fmt.Errorf("search engine: %w", err)
	}
	u.Path = "/"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("search engine: %w", err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask the search engine what it is: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	var about struct {
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
		} `json:"version"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&about); err != nil || about.Version.Number == "" {
		return "", fmt.Errorf("the server at %s does not say what it is: %w", u.Host, errors.Join(errors.New(answer.Status), err))
	}
	if about.Version.Distribution == "opensearch" {
		return "OpenSearch " + about.Version.Number, nil
	}
	return "Elasticsearch " + about.Version.Number, nil
}

// engineScript is in a work tree: those who have none give --search.
const engineScript = "scripts/search-engine"

// startEngine runs one on a free port, with its data in dir.
func startEngine(ctx context.Context, kind, dir string) (at string, stop func() error, err error) {
	if kind != "elasticsearch" && kind != "opensearch" {
		return "", nil, fault.Newf(fault.Invalid, "flag_invalid", "--engines: %q is neither elasticsearch nor opensearch", kind)
	}
	if _, err := os.Stat(engineScript); err != nil {
		return "", nil, fmt.Errorf("start %s: %w: run it in a work tree, or give --search URL", kind, err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a directory: %w", err)
	}
	log, err := os.Create(dir + ".log")
	if err != nil {
		return "", nil, fmt.Errorf("start %s: %w", kind, err)
	}
	defer func() { _ = log.Close() }()                                      // the program has its own
	cmd := exec.Command(engineScript, "run", kind, dir, strconv.Itoa(port)) //nolint:noctx // ended by stop
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start %s: %w", kind, err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop %s: %w", kind, err)
		}
		select {
		case <-exited: //nolint:errcheck // it was told to end, and says so
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-exited //nolint:errcheck // it was killed, and says so
		}
		return nil
	}
	at = "http://127.0.0.1:" + strconv.Itoa(port)
	patience := time.NewTimer(10 * time.Minute) // the first time it is fetched
	defer patience.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-exited:
			exited <- err
			said, _ := os.ReadFile(log.Name())
			return "", nil, fmt.Errorf("%s ended: %w\n%s", kind, err, said[max(0, len(said)-2000):])
		case <-ctx.Done():
			return "", nil, errors.Join(ctx.Err(), stop())
		case <-patience.C:
			return "", nil, errors.Join(fmt.Errorf("%s does not answer at %s", kind, at), stop())
		case <-tick.C:
			if _, err := nameOf(ctx, at); err == nil {
				return at, stop, nil
			}
		}
	}
}

// freePort is one from which the programs do not look for another: those above 9299 are not theirs.
func freePort(ctx context.Context) (int, error) {
	for port := 9289; port > 9231; port-- {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no port from 9232 to 9289 is free")
}

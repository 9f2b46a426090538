// Package elastic keeps the search index in Elasticsearch 7.10 to 7.17 or OpenSearch 1 and 2.
//
// A document is written with its position as external version, so that nothing ever goes back and repeating costs nothing.
// The progress of a partition is written after its documents, with the sequence number that it had when it was read, so
// that an owner who was replaced cannot write it. A crash in between repeats the last commit. Deleted documents leave
// stubs, because the version of a document that is gone is forgotten after a minute, and a late write would bring it back.
//
// It must not be asked for anything that the log knows better; it reads the log only to fill gaps.
package elastic

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

//go:embed index.json
var indexBody []byte

// Config of an engine.
type Config struct {
	URL                string
	Username, Password string
	APIKey             string
	Client             *http.Client // nil: one of its own
	Name               string       // of the alias; the indexes behind it are NAME-v1, NAME-v2 …
	Incarnation        string       // of the log: an index of another one is refused
	Partitions         int
	History            search.History
	Lease              time.Duration // after which an owner that says nothing is replaced; zero: 6 s
}

const (
	usualLease     = 6 * time.Second
	requestTimeout = 30 * time.Second
)

// Engine is an open index. All methods may be used concurrently; Close once nothing else runs.
type Engine struct {
	cfg    Config
	client *es.Client
	index  string // behind the alias
	lease  *lease

	// erasing is held for writing by a commit that has news of what became of customers, for reading by all others, so
	// that no document of an erased customer is written while they are looked for.
	erasing sync.RWMutex
	people  search.People

	mu   sync.Mutex
	held map[int]*session
}

var _ search.Engine = (*Engine)(nil)

// Open opens the index behind the alias, or makes it. Errors: projections.ErrHeld while another process has it;
// search.ErrFormat and ErrIncarnation, which say what to do.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.Lease == 0 {
		cfg.Lease = usualLease
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: requestTimeout}
	}
	options := []es.ClientOptionFunc{es.SetURL(cfg.URL), es.SetSniff(false), es.SetHealthcheck(false), es.SetHttpClient(cfg.Client)}
	if cfg.Username != "" {
		options = append(options, es.SetBasicAuth(cfg.Username, cfg.Password))
	}
	if cfg.APIKey != "" {
		options = append(options, es.SetHeaders(http.Header{"Authorization": {"ApiKey " + cfg.APIKey}}))
	}
	client, err := es.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("search engine at %s: %w", cfg.URL, err)
	}
	e := &Engine{cfg: cfg, client: client, held: map[int]*session{}}
	if err := e.open(ctx); err != nil {
		client.Stop()
		return nil, err
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context) error {
	index, err := e.behindAlias(ctx)
	if err != nil {
		return err
	}
	e.index = index
	if err := e.check(ctx); err != nil {
		return err
	}
	if e.lease, err = e.acquire(ctx); err != nil {
		return err
	}
	if err := e.Refresh(ctx); err != nil {
		return err
	}
	e.people, err = e.loadPeople(ctx)
	return err
}

// about is what an index says of itself.
type about struct {
	Format      int    `json:"format"`
	Incarnation string `json:"incarnation"`
	Partitions  int    `json:"partitions"`
}

// behindAlias finds the index that the alias leads to, and makes the first one when there is none.
func (e *Engine) behindAlias(ctx context.Context) (string, error) {
	for range 2 {
		found, err := e.client.Aliases().Alias(e.cfg.Name).Do(ctx)
		if err != nil && !es.IsNotFound(err) {
			return "", e.away("find the search index", err)
		}
		if err == nil {
			switch behind := found.IndicesByAlias(e.cfg.Name); len(behind) {
			case 0:
			case 1:
				return behind[0], nil
			default:
				return "", fmt.Errorf("the alias %s leads to %d indexes %v: let it lead to one of them", e.cfg.Name, len(behind), behind)
			}
		}
		if err := e.create(ctx, e.cfg.Name+"-v1"); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("the search index %s-v1 is there, and the alias %s does not lead to it: add the alias, or remove the index; it is filled again from the log", e.cfg.Name, e.cfg.Name)
}

// create makes an index and the alias that leads to it, both or neither. One that is there already is left alone.
func (e *Engine) create(ctx context.Context, name string) error {
	var body map[string]any
	if err := json.Unmarshal(indexBody, &body); err != nil {
		return fmt.Errorf("read the mapping: %w", err)
	}
	mappings, _ := body["mappings"].(map[string]any)
	mappings["_meta"] = about{Format: search.Format, Incarnation: e.cfg.Incarnation, Partitions: e.cfg.Partitions}
	body["aliases"] = map[string]any{e.cfg.Name: struct{}{}}
	_, err := e.client.CreateIndex(name).BodyJson(body).Do(ctx)
	if err != nil && typeOf(err) != "resource_already_exists_exception" {
		return e.away("make the search index "+name, err)
	}
	return nil
}

// check compares what the index says of itself.
func (e *Engine) check(ctx context.Context) error {
	got, err := e.client.GetMapping().Index(e.index).Do(ctx)
	if err != nil {
		return e.away("read the mapping of the search index", err)
	}
	raw, err := json.Marshal(got[e.index])
	var is struct {
		Mappings struct {
			Meta about `json:"_meta"`
		} `json:"mappings"`
	}
	if err = errors.Join(err, json.Unmarshal(raw, &is)); err != nil {
		return e.rebuild(search.ErrCorrupt, "its mapping cannot be read: "+err.Error())
	}
	switch a := is.Mappings.Meta; {
	case a.Format != search.Format:
		return e.rebuild(search.ErrFormat, "format "+strconv.Itoa(a.Format)+", this version writes "+strconv.Itoa(search.Format))
	case a.Incarnation != e.cfg.Incarnation || a.Partitions != e.cfg.Partitions:
		return e.rebuild(search.ErrIncarnation, "made from log "+a.Incarnation+" with "+strconv.Itoa(a.Partitions)+" partitions")
	}
	return nil
}

// rebuild is an error that tells the operator what is wrong and what to do.
func (e *Engine) rebuild(kind error, detail string) error {
	return fmt.Errorf("%w: %s; nothing is lost: remove the index %s, and it is filled again from the log", kind, detail, e.index)
}

// Documents is the number of conversations in the index.
func (e *Engine) Documents(ctx context.Context) (uint64, error) {
	n, err := e.client.Count(e.index).Query(es.NewTermQuery("kind", kindConversation)).Do(ctx)
	if err != nil {
		return 0, e.away("count documents", err)
	}
	return uint64(max(n, 0)), nil
}

// Document is one conversation as the index has it; nil when it has none.
func (e *Engine) Document(ctx context.Context, org, id string) (*search.Document, error) {
	a := events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
	found, err := e.have(ctx, []events.Aggregate{a})
	return found[a], err
}

// Refresh returns once everything that was committed before is found by searches.
func (e *Engine) Refresh(ctx context.Context) error {
	if _, err := e.client.Refresh(e.index).Do(ctx); err != nil {
		return e.away("refresh the search index", err)
	}
	return nil
}

// RefreshInterval is the engine's own usual one.
func (e *Engine) RefreshInterval() time.Duration { return time.Second }

// Run keeps the index for this process, and returns when it is somebody else's, or ctx ends.
func (e *Engine) Run(ctx context.Context) error { return e.lease.keep(ctx) }

// Close gives the index up.
func (e *Engine) Close() error {
	bounded, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // Close has no context, as io.Closer
	defer cancel()
	e.lease.release(bounded)
	e.client.Stop()
	return nil
}

// away is an error of the engine, which may be well again later.
func (e *Engine) away(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", projections.ErrTransient, what, err)
}

// typeOf is the engine's own name of an error; empty when it is none of its.
func typeOf(err error) string {
	if e, ok := errors.AsType[*es.Error](err); ok && e.Details != nil {
		return e.Details.Type
	}
	return ""
}

// Package elastic keeps the search index in Elasticsearch 7.10 to 7.17 or OpenSearch 1 and 2.
//
// A document is written with its position as external version, so that nothing ever goes back and repeating costs nothing.
// The progress of a partition is written after its documents, with the sequence number that it had when it was read, so
// that an owner who was replaced cannot write it. A crash in between repeats the last commit. Deleted documents leave
// stubs, because the version of a document that is gone is forgotten after a minute, and a late write would bring it back.
//
// It must not be asked for anything that the log knows better.
package elastic

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	es "github.com/olivere/elastic/v7"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
	"github.com/tidemark-desk/tidemark/projections/search/words"
)

//go:embed index.json
var indexBody []byte

// Config of a store.
type Config struct {
	URL                string
	Username, Password string
	APIKey             string
	Client             *http.Client // nil: one of its own
	Logger             *slog.Logger // nil: none
	Name               string       // of the alias; the indexes behind it are NAME-v1, NAME-v2 …
	Incarnation        string       // of the log: an index of another one is refused
	Partitions         int
	Metrics            *Metrics      // nil: nothing is measured
	Owner              string        // who this process is, also when it is started again; empty: somebody new each time
	Lease              time.Duration // after which an owner that says nothing is replaced; zero: 6 s
}

const (
	usualLease     = 6 * time.Second
	requestTimeout = 30 * time.Second
)

// Store is the indexes of one name. What each is for is said by aliases, which change together or not at all: NAME leads to
// the one that serves.
type Store struct {
	cfg    Config
	client *es.Client
	guard  *guard
	sender *sender // of all indexes
	gone   *gone
	lease  *lease
}

var _ search.Store = (*Store)(nil)

// Open takes the indexes for this process. Error: projections.ErrHeld while another process has them.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Lease == 0 {
		cfg.Lease = usualLease
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client, guard, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, client: client, guard: guard, sender: newSender(client, cfg.Metrics), gone: newGone()}
	if s.lease, err = s.acquire(ctx); err != nil {
		client.Stop()
		guard.close()
		return nil, err
	}
	return s, nil
}

// OpenIndexes takes the indexes for this process, and opens them.
func OpenIndexes(ctx context.Context, cfg Config, history search.History, logger *slog.Logger) (*indexes.Set, error) {
	if cfg.Logger == nil {
		cfg.Logger = logger
	}
	s, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return indexes.Open(ctx, s, history, cfg.Partitions, logger)
}

// alias says what an index is for.
func (s *Store) alias(role search.Role) string {
	if role == search.RoleServing {
		return s.cfg.Name
	}
	return s.cfg.Name + "-" + string(role)
}

func (s *Store) index(number int) string { return s.cfg.Name + "-v" + strconv.Itoa(number) }

// about is what an index says of itself.
type about struct {
	Format      int    `json:"format"`
	Incarnation string `json:"incarnation"`
	Partitions  int    `json:"partitions"`
	Fingerprint string `json:"fingerprint"`
	Lacks       string `json:"lacks,omitempty"` // what of the analysis the engine does not have
}

// entry is what the engine says of an index.
type entry struct {
	Aliases  map[string]struct{} `json:"aliases"`
	Mappings struct {
		Meta       about                      `json:"_meta"`
		Properties map[string]json.RawMessage `json:"properties"`
	} `json:"mappings"`
	Settings struct {
		Index struct {
			Created string `json:"creation_date"`
		} `json:"index"`
	} `json:"settings"`
}

// entries are the indexes of this name, by number.
func (s *Store) entries(ctx context.Context) (map[int]entry, error) {
	res, err := s.client.PerformRequest(ctx, es.PerformRequestOptions{Method: http.MethodGet, Path: "/" + s.cfg.Name + "-v*"})
	if err != nil {
		return nil, away("list the search indexes", err)
	}
	var all map[string]entry
	if err := json.Unmarshal(res.Body, &all); err != nil {
		return nil, away("list the search indexes", err)
	}
	out := map[int]entry{}
	for name, e := range all {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, s.cfg.Name+"-v")); err == nil && name == s.index(n) {
			out[n] = e
		}
	}
	return out, nil
}

// Indexes lists what is there. A role that two have, or indexes of which none serves, are for an operator to settle: what is
// found would not be known.
func (s *Store) Indexes(ctx context.Context) ([]search.IndexInfo, error) {
	all, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	held := map[search.Role][]string{}
	var list []search.IndexInfo
	for _, n := range slices.Sorted(maps.Keys(all)) {
		info := search.IndexInfo{Number: n, Name: s.index(n), Fingerprint: all[n].Mappings.Meta.Fingerprint, Lacks: all[n].Mappings.Meta.Lacks}
		for _, role := range []search.Role{search.RoleServing, search.RoleBuilding, search.RolePrevious} {
			if _, has := all[n].Aliases[s.alias(role)]; has {
				held[role] = append(held[role], info.Name)
				info.Role = role
			}
		}
		if ms, err := strconv.ParseInt(all[n].Settings.Index.Created, 10, 64); err == nil {
			info.Created = time.UnixMilli(ms).UTC()
		}
		list = append(list, info)
	}
	for role, names := range held {
		if len(names) > 1 {
			return nil, fmt.Errorf("the alias %s leads to %d indexes %v: let it lead to one of them", s.alias(role), len(names), names)
		}
	}
	if len(list) > 0 && len(held[search.RoleServing]) == 0 {
		return nil, fmt.Errorf("the search index %s is there, and the alias %s does not lead to it: add the alias, or remove the index; it is filled again from the log", list[len(list)-1].Name, s.cfg.Name)
	}
	return list, s.weigh(ctx, list)
}

// weigh counts documents and bytes.
func (s *Store) weigh(ctx context.Context, list []search.IndexInfo) error {
	if len(list) == 0 {
		return nil
	}
	stats, err := s.client.IndexStats(s.cfg.Name + "-v*").Metric("store").Do(ctx)
	if err != nil {
		return away("weigh the search indexes", err)
	}
	for i, info := range list {
		if st := stats.Indices[info.Name]; st != nil && st.Total != nil && st.Total.Store != nil {
			list[i].Bytes = uint64(max(st.Total.Store.SizeInBytes, 0))
		}
		n, err := s.client.Count(info.Name).Query(es.NewTermQuery("kind", kindConversation)).Do(ctx)
		if err != nil && !es.IsNotFound(err) {
			return away("count documents", err)
		}
		list[i].Documents = uint64(max(n, 0))
	}
	return nil
}

// Fingerprint is of how this version cuts and lays out documents: when it changes, a rebuild is due.
func Fingerprint() string {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, string(indexBody), search.Format, words.Cut("Anna's e-mail anna.smith@example.com, ORD_1: 東京 ２０２４년 คืน café 👍"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Create makes an index and the alias that says what it is for, both or neither.
func (s *Store) Create(ctx context.Context, number int, role search.Role) (search.Index, error) {
	meta := about{Format: search.Format, Incarnation: s.cfg.Incarnation, Partitions: s.cfg.Partitions, Fingerprint: Fingerprint()}
	err := s.create(ctx, number, role, meta)
	if what := lacking(err); what != "" {
		meta.Lacks = what
		s.cfg.Logger.WarnContext(ctx, "the search engine lacks its module analysis-common: words are found only as they are written, with their accents",
			"index", s.index(number), "reason", what)
		err = s.create(ctx, number, role, meta)
	}
	switch {
	case err == nil:
	case typeOf(err) == "invalid_alias_name_exception":
		return nil, fmt.Errorf("%s is an index, and is to be the alias of one: remove it, or name another in --search; %w", s.alias(role), err)
	default:
		return nil, away("make the search index "+s.index(number), err)
	}
	return s.Open(ctx, number)
}

// Open opens an index.
func (s *Store) Open(ctx context.Context, number int) (search.Index, error) {
	all, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: s.cfg, client: s.client, sender: s.sender, gone: s.gone, index: s.index(number), marks: map[int]*mark{}}
	is, there := all[number]
	if !there {
		return nil, away("open the search index "+e.index, errors.New("it is not there"))
	}
	switch a := is.Mappings.Meta; {
	case a.Format != search.Format:
		return nil, e.rebuild(search.ErrFormat, "format "+strconv.Itoa(a.Format)+", this version writes "+strconv.Itoa(search.Format))
	case a.Incarnation != s.cfg.Incarnation || a.Partitions != s.cfg.Partitions:
		return nil, e.rebuild(search.ErrIncarnation, "made from log "+a.Incarnation+" with "+strconv.Itoa(a.Partitions)+" partitions")
	case a.Fingerprint != Fingerprint():
		e.fields = is.Mappings.Properties
	}
	if _, has := is.Aliases[into(e.index)]; !has { // somebody has restored it
		if _, err := s.client.Alias().Add(e.index, into(e.index)).Do(ctx); err != nil {
			return nil, away("name the search index "+e.index, err)
		}
	}
	return e, nil
}

// Assign moves aliases, all at once.
func (s *Store) Assign(ctx context.Context, roles map[int]search.Role) error {
	all, err := s.entries(ctx)
	if err != nil {
		return err
	}
	var actions []es.AliasAction
	for n, role := range roles {
		for _, r := range []search.Role{search.RoleServing, search.RoleBuilding, search.RolePrevious} {
			if _, has := all[n].Aliases[s.alias(r)]; has && r != role {
				actions = append(actions, es.NewAliasRemoveAction(s.alias(r)).Index(s.index(n)))
			}
		}
		if _, there := all[n]; there && role != search.RoleNone {
			actions = append(actions, es.NewAliasAddAction(s.alias(role)).Index(s.index(n)))
		}
	}
	if len(actions) == 0 {
		return nil
	}
	if _, err := s.client.Alias().Action(actions...).Do(ctx); err != nil {
		return away("say what search indexes are for", err)
	}
	return nil
}

// Remove deletes an index.
func (s *Store) Remove(ctx context.Context, number int) error {
	if _, err := s.client.DeleteIndex(s.index(number)).Do(ctx); err != nil && !es.IsNotFound(err) {
		return away("remove the search index "+s.index(number), err)
	}
	return nil
}

// RefreshInterval is the engine's own usual one.
func (s *Store) RefreshInterval() time.Duration { return time.Second }

// Owns tells whether nobody has taken them over.
func (s *Store) Owns() bool { return s.lease.owns() }

// Close gives the indexes up.
func (s *Store) Close() error {
	bounded, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // Close has no context, as io.Closer
	defer cancel()
	s.lease.release(bounded)
	s.client.Stop()
	s.guard.close()
	return nil
}

// away is an error of the engine, which may be well again later.
func away(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", projections.ErrTransient, what, err)
}

// typeOf is the engine's own name of an error; empty when it is none of its.
func typeOf(err error) string {
	if e, ok := errors.AsType[*es.Error](err); ok && e.Details != nil {
		return e.Details.Type
	}
	return ""
}

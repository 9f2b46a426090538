// Package indexes keeps the indexes of an engine side by side: the one that serves, one that is built anew, and the one
// that served before. Every commit goes to all of them, to the serving one last, so that none of the others ever lacks
// what it has, and any of them can take its place.
//
// It must not know how an engine keeps documents: that is for search.Store and search.Index.
package indexes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Set is the open indexes of a store. All methods may be used concurrently; Close once nothing else runs.
type Set struct {
	store      search.Store
	history    search.History
	partitions int
	logger     *slog.Logger

	// changing is held for writing by who changes roles, and by a commit that has news of what became of customers, for
	// reading by all who write: no document of an erased customer is written while they are looked for, and no commit
	// misses an index.
	changing sync.RWMutex
	people   search.People // written with mu held as well
	members  map[search.Role]*member

	mu   sync.Mutex
	held map[int]*session
}

// member is an index that has a role.
type member struct {
	search.Index
	number int

	using sync.RWMutex // for writing: nobody reads any more
	gone  bool

	mu  sync.Mutex
	why error // it lacks something
}

var _ search.Engine = (*Set)(nil)

// Open opens the indexes of a store that have a role, and makes the first one when there is none. It takes the store over,
// also when it fails.
func Open(ctx context.Context, store search.Store, history search.History, partitions int, logger *slog.Logger) (*Set, error) {
	s := &Set{
		store: store, history: history, partitions: partitions, logger: logger,
		members: map[search.Role]*member{}, held: map[int]*session{},
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Set) open(ctx context.Context) error {
	all, err := s.store.Indexes(ctx)
	if err != nil {
		return err
	}
	for _, info := range all {
		if info.Role == search.RoleNone {
			continue
		}
		index, err := s.store.Open(ctx, info.Number)
		switch {
		case err == nil:
			s.members[info.Role] = &member{Index: index, number: info.Number}
		case info.Role == search.RoleServing || errors.Is(err, projections.ErrTransient):
			return err
		default: // it can be built again
			s.logger.WarnContext(ctx, "a search index that does not serve cannot be opened", "index", info.Name, "role", info.Role, "error", err)
			if err := s.store.Assign(ctx, map[int]search.Role{info.Number: search.RoleNone}); err != nil {
				return err
			}
		}
	}
	if s.members[search.RoleServing] == nil {
		index, err := s.store.Create(ctx, next(all), search.RoleServing)
		if err != nil {
			return err
		}
		s.members[search.RoleServing] = &member{Index: index, number: next(all)}
	}
	for _, m := range s.members {
		if err := m.Refresh(ctx); err != nil {
			return err
		}
	}
	s.people, err = s.members[search.RoleServing].People(ctx)
	return err
}

// next is the number of the next index.
func next(all []search.IndexInfo) int {
	n := 1
	for _, info := range all {
		n = max(n, info.Number+1)
	}
	return n
}

// use is the index of a role, until done; nil when there is none.
func (s *Set) use(role search.Role) (m *member, done func()) {
	for {
		s.mu.Lock()
		m := s.members[role]
		s.mu.Unlock()
		if m == nil {
			return nil, nil
		}
		m.using.RLock()
		if !m.gone {
			return m, m.using.RUnlock
		}
		m.using.RUnlock() // it was taken out meanwhile
	}
}

// serving is the index that answers, until done.
func (s *Set) serving() (*member, func(), error) {
	m, done := s.use(search.RoleServing)
	if m == nil {
		return nil, nil, errors.New("no search index serves")
	}
	return m, done, nil
}

// others are the indexes that do not serve. The caller holds changing.
func (s *Set) others() []search.Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	var roles []search.Role
	for role := range s.members {
		if role != search.RoleServing {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return roles
}

// Search asks the index that serves.
func (s *Set) Search(ctx context.Context, q search.Query) (search.Result, error) {
	m, done, err := s.serving()
	if err != nil {
		return search.Result{}, err
	}
	defer done()
	if q, err = s.resolve(ctx, m, q); err != nil {
		return search.Result{}, err
	}
	return m.Search(ctx, q)
}

// Count asks the index that serves.
func (s *Set) Count(ctx context.Context, c search.CountRequest) ([]search.Count, error) {
	m, done, err := s.serving()
	if err != nil {
		return nil, err
	}
	defer done()
	return m.Count(ctx, c)
}

// Documents asks the index that serves.
func (s *Set) Documents(ctx context.Context) (uint64, error) {
	m, done, err := s.serving()
	if err != nil {
		return 0, err
	}
	defer done()
	return m.Documents(ctx)
}

// Document is one conversation as the index that serves has it; nil when it has none.
func (s *Set) Document(ctx context.Context, org, id string) (*search.Document, error) {
	if !events.ValidID(org) || !events.ValidID(id) {
		return nil, nil //nolint:nilnil // no such id
	}
	m, done, err := s.serving()
	if err != nil {
		return nil, err
	}
	defer done()
	a := events.Aggregate{Org: org, Kind: events.KindConversation, ID: id}
	found, err := m.Have(ctx, []events.Aggregate{a})
	return found[a], err
}

// Refresh makes what was committed found, also in the indexes that do not serve.
func (s *Set) Refresh(ctx context.Context) error {
	m, done, err := s.serving()
	if err != nil {
		return err
	}
	defer done()
	return m.Refresh(ctx)
}

// Away tells why the store cannot be asked now; nil when it can, as far as is known.
func (s *Set) Away() error {
	if a, ok := s.store.(search.Absent); ok {
		return a.Away()
	}
	return nil
}

// RefreshInterval is the store's.
func (s *Set) RefreshInterval() time.Duration { return s.store.RefreshInterval() }

// Run keeps the store for this process.
func (s *Set) Run(ctx context.Context) error { return s.store.Run(ctx) }

// Indexes lists the indexes.
func (s *Set) Indexes(ctx context.Context) ([]search.IndexInfo, error) { return s.store.Indexes(ctx) }

// Close closes the indexes, and gives the store up.
func (s *Set) Close() error {
	var err error
	for role, m := range s.members {
		if e := m.Close(); e != nil {
			err = errors.Join(err, fmt.Errorf("close the %s search index: %w", role, e))
		}
	}
	return errors.Join(err, s.store.Close())
}

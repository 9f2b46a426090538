// Package bleve is the embedded search engine: Bleve indexes in a directory, each for all orgs and partitions.
//
// Each write is one Bleve batch: documents, progress, ahead and parked keys of its partition, written together, so that a
// process killed at any moment goes on from what the index itself says. The directory belongs to one process at a time. It
// is disposable: whoever removes it gets it filled again.
//
// It must not be asked for anything that the log knows better.
package bleve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/indexes"
)

// Config of a store.
type Config struct {
	Dir         string // made when it is not there
	Incarnation string // of the log: an index of another one is refused
	Partitions  int
}

// Store is a directory with indexes v1, v2 … and a file that says what each is for.
type Store struct {
	cfg  Config
	lock *flock.Flock

	mu    sync.Mutex
	roles map[int]search.Role
	open  map[int]*Engine
}

var _ search.Store = (*Store)(nil)

// rolesFile is replaced as a whole.
const rolesFile = "roles.json"

// Open takes the directory for this process. Error: projections.ErrHeld while another process has it.
func Open(cfg Config) (*Store, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the search index's directory: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, "lock"))
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock the search index in %s: %w", cfg.Dir, err)
	case !locked:
		return nil, fmt.Errorf("search index in %s: %w", cfg.Dir, projections.ErrHeld)
	}
	s := &Store{cfg: cfg, lock: lock, open: map[int]*Engine{}, roles: map[int]search.Role{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return s, nil
}

// OpenIndexes takes the directory for this process, and opens what is in it.
func OpenIndexes(ctx context.Context, cfg Config, history search.History, logger *slog.Logger) (*indexes.Set, error) {
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	return indexes.Open(ctx, s, history, cfg.Partitions, logger)
}

func (s *Store) load() error {
	raw, err := os.ReadFile(filepath.Join(s.cfg.Dir, rolesFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(s.cfg.Dir, "index")); err == nil {
			return s.remove(search.ErrFormat, "its files are laid out as before")
		}
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &s.roles)
	}
	if err != nil {
		return s.remove(search.ErrCorrupt, err.Error())
	}
	return nil
}

// remove is an error that tells the operator what is wrong and what to do.
func (s *Store) remove(kind error, detail string) error {
	return fmt.Errorf("%w: %s; nothing is lost: remove the directory %s, and the index is filled again from the log", kind, detail, s.cfg.Dir)
}

// save writes the roles; they are there as a whole, or not.
func (s *Store) save(roles map[int]search.Role) error {
	raw, err := json.Marshal(roles)
	if err != nil {
		return fmt.Errorf("write what search indexes are for: %w", err)
	}
	path := filepath.Join(s.cfg.Dir, rolesFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%w: write what search indexes are for: %w", projections.ErrTransient, err)
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("%w: write what search indexes are for: %w", projections.ErrTransient, err)
	}
	s.roles = roles
	return nil
}

func (s *Store) path(number int) string { return filepath.Join(s.cfg.Dir, "v"+strconv.Itoa(number)) }

// Indexes lists what is in the directory.
func (s *Store) Indexes(ctx context.Context) ([]search.IndexInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: read the search index's directory: %w", projections.ErrTransient, err)
	}
	numbers := map[int]bool{}
	for n := range s.roles {
		numbers[n] = true
	}
	for _, e := range entries {
		digits, named := strings.CutPrefix(e.Name(), "v")
		if n, err := strconv.Atoi(digits); named && err == nil && n > 0 && e.IsDir() {
			numbers[n] = true
		}
	}
	var list []search.IndexInfo
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		info := search.IndexInfo{Number: n, Name: "v" + strconv.Itoa(n), Role: s.roles[n], Bytes: size(s.path(n))}
		if e := s.open[n]; e != nil {
			info.Created, info.Fingerprint = e.created, e.fingerprint
			if info.Documents, err = e.Documents(ctx); err != nil {
				return nil, err
			}
		}
		list = append(list, info)
	}
	return list, nil
}

// size is what the files of a directory have in them; some come and go meanwhile.
func size(dir string) (total uint64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // it is gone
		}
		if info, err := d.Info(); err == nil && info.Size() > 0 {
			total += uint64(info.Size()) //nolint:gosec // it is positive
		}
		return nil
	})
	return total
}

// Create makes an empty index.
func (s *Store) Create(ctx context.Context, number int, role search.Role) (search.Index, error) {
	if err := create(s.path(number), s.cfg); err != nil {
		return nil, fmt.Errorf("%w: make the search index in %s: %w", projections.ErrTransient, s.path(number), err)
	}
	if err := s.Assign(ctx, map[int]search.Role{number: role}); err != nil {
		return nil, err
	}
	return s.Open(ctx, number)
}

// Open opens an index.
func (s *Store) Open(ctx context.Context, number int) (search.Index, error) {
	e, err := s.openEngine(ctx, number)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[number] = e
	return e, nil
}

// Assign changes roles.
func (s *Store) Assign(_ context.Context, roles map[int]search.Role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.roles)
	for n, role := range roles {
		next[n] = role
		if role == search.RoleNone {
			delete(next, n)
		}
	}
	return s.save(next)
}

// Remove deletes the files of an index.
func (s *Store) Remove(ctx context.Context, number int) error {
	if err := s.Assign(ctx, map[int]search.Role{number: search.RoleNone}); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.open, number)
	s.mu.Unlock()
	if err := os.RemoveAll(s.path(number)); err != nil {
		return fmt.Errorf("%w: remove the search index in %s: %w", projections.ErrTransient, s.path(number), err)
	}
	return nil
}

// Run has nothing to do: the lock of the directory ends with the process.
func (s *Store) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Owns is true: see Run.
func (s *Store) Owns() bool { return true }

// RefreshInterval is none: what is written is found.
func (s *Store) RefreshInterval() time.Duration { return 0 }

// Flush returns once everything that was written before is on disk.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	open := slices.Collect(maps.Values(s.open))
	s.mu.Unlock()
	var err error
	for _, e := range open {
		err = errors.Join(err, e.Flush(ctx))
	}
	return err
}

// Close lets another process have the directory.
func (s *Store) Close() error { return s.lock.Unlock() }

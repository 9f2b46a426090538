// Package bleve is the embedded search engine: one Bleve index in a directory, for all orgs and partitions.
//
// Each commit is one Bleve batch: documents, progress, ahead and parked keys of its partition, written together and
// on disk before it returns, so that a process killed at any moment goes on from what the index itself says. The
// index belongs to one process at a time. It is disposable: whoever removes the directory gets it filled again.
//
// It must not be asked for anything that the log knows better; it reads the log only to fill gaps.
package bleve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/search/query"
	"github.com/gofrs/flock"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Config of an engine.
type Config struct {
	Dir         string // made when it is not there
	Incarnation string // of the log: an index of another one is refused
	Partitions  int
	History     search.History
}

// Engine is an open index. All methods may be used concurrently; Close once nothing else runs.
type Engine struct {
	cfg   Config
	lock  *flock.Flock
	index blevesearch.Index

	// erasing is held for writing by a commit that has news of what became of customers, for reading by all others, so
	// that no document of an erased customer is written while they are looked for.
	erasing sync.RWMutex
	people  search.People

	unsynced chan struct{} // holds a token for each commit that is not on disk yet

	mu   sync.Mutex
	held map[int]*session
}

var _ search.Engine = (*Engine)(nil)

// Keys of what the index says about itself.
var (
	keyFormat      = []byte("tidemark/format")
	keyIncarnation = []byte("tidemark/incarnation")
	keyPartitions  = []byte("tidemark/partitions")
	keyFlush       = []byte("tidemark/flush") // never has a value: a batch must hold something
)

// boltTimeout is how long to wait for the lock of the index's own file; ours is asked first and never waits.
const boltTimeout = "500ms"

// persistEvery is how many milliseconds of commits go to disk together. Syncing each would take the disk from the log,
// on whose syncs every caller waits. A crash loses the last documents together with the progress that tells of them,
// and so they are indexed again.
const persistEvery = 500

// A disk that is full or gone must be noticed, and what is only in memory must have an end: so many commits may wait
// for the disk, for so long.
const (
	mostUnsynced  = 64
	flushPatience = 5 * time.Second
)

// Open opens the index, or makes an empty one. Errors: projections.ErrHeld while another process has it;
// search.ErrCorrupt, ErrFormat and ErrIncarnation, which say how to rebuild.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
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
	e := &Engine{cfg: cfg, lock: lock, held: map[int]*session{}, unsynced: make(chan struct{}, mostUnsynced)}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context) error {
	path := filepath.Join(e.cfg.Dir, "index")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := e.create(path); err != nil {
			return fmt.Errorf("make the search index in %s: %w", e.cfg.Dir, err)
		}
	}
	var err error
	if e.index, err = openIndex(path); err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			return fmt.Errorf("search index in %s: %w", e.cfg.Dir, projections.ErrHeld)
		}
		return e.rebuild(search.ErrCorrupt, strings.Join(strings.Fields(err.Error()), " "))
	}
	if err := e.check(ctx); err != nil {
		return errors.Join(err, e.index.Close())
	}
	return nil
}

// create makes an index beside its place and moves it there once it is whole: a crash in between leaves nothing that
// looks like an index.
func (e *Engine) create(path string) error {
	fresh := path + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	index, err := blevesearch.NewUsing(fresh, blevesearch.NewIndexMapping(), scorch.Name, scorch.Name, map[string]any{"bolt_timeout": boltTimeout})
	if err != nil {
		return err
	}
	about := index.NewBatch()
	about.SetInternal(keyFormat, []byte(strconv.Itoa(search.Format)))
	about.SetInternal(keyIncarnation, []byte(e.cfg.Incarnation))
	about.SetInternal(keyPartitions, []byte(strconv.Itoa(e.cfg.Partitions)))
	if err := errors.Join(index.Batch(about), index.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// openIndex turns a panic over damaged files into an error.
func openIndex(path string) (index blevesearch.Index, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return blevesearch.OpenUsing(path, map[string]any{
		"bolt_timeout":           boltTimeout,
		"unsafe_batch":           true, // a commit does not wait for the disk
		"scorchPersisterOptions": map[string]any{"PersisterNapTimeMSec": persistEvery, "PersisterNapUnderNumFiles": 1000},
	})
}

// check compares what the index says about itself, and loads who is to be forgotten.
func (e *Engine) check(ctx context.Context) error {
	about := map[string]string{}
	for _, key := range [][]byte{keyFormat, keyIncarnation, keyPartitions} {
		v, err := e.index.GetInternal(key)
		if err != nil {
			return e.rebuild(search.ErrCorrupt, err.Error())
		}
		about[string(key)] = string(v)
	}
	format, incarnation, partitions := about[string(keyFormat)], about[string(keyIncarnation)], about[string(keyPartitions)]
	switch {
	case format == "" || incarnation == "":
		return e.rebuild(search.ErrCorrupt, "it does not say what it is")
	case format != strconv.Itoa(search.Format):
		return e.rebuild(search.ErrFormat, "format "+format+", this version writes "+strconv.Itoa(search.Format))
	case incarnation != e.cfg.Incarnation || partitions != strconv.Itoa(e.cfg.Partitions):
		return e.rebuild(search.ErrIncarnation, "made from log "+incarnation+" with "+partitions+" partitions")
	}
	var err error
	e.people, err = e.loadPeople(ctx)
	return err
}

// rebuild is an error that tells the operator what is wrong and what to do.
func (e *Engine) rebuild(kind error, detail string) error {
	return fmt.Errorf("%w: %s; nothing is lost: remove the directory %s, and the index is filled again from the log", kind, detail, e.cfg.Dir)
}

func exactly(field, value string) query.Query {
	t := query.NewTermQuery(value)
	t.SetField(field)
	t.SetBoost(0) // a condition, it does not rank
	return t
}

// Documents is the number of conversations in the index.
func (e *Engine) Documents(context.Context) (uint64, error) {
	e.erasing.RLock()
	defer e.erasing.RUnlock()
	n, err := e.index.DocCount()
	if err != nil {
		return 0, fmt.Errorf("count documents: %w", err)
	}
	return n - uint64(e.people.Marks()), nil
}

// Document is one conversation as the index has it; nil when it has none.
func (e *Engine) Document(_ context.Context, org, id string) (*search.Document, error) {
	if strings.Contains(org, "/") || strings.Contains(id, "/") {
		return nil, nil //nolint:nilnil // no such id
	}
	r, done, err := e.reader()
	if err != nil {
		return nil, err
	}
	defer done()
	return stored(r, docID(org, id))
}

// Run has nothing to do: the index belongs to this process for as long as it is open.
func (e *Engine) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Refresh has nothing to do: what is committed is found.
func (e *Engine) Refresh(context.Context) error { return nil }

// RefreshInterval is none.
func (e *Engine) RefreshInterval() time.Duration { return 0 }

// Close gives the index up, once what was committed is on disk.
func (e *Engine) Close() error {
	// Without a flush the last moment would be indexed again at the next start; a disk that does not answer may have that.
	flushing, cancel := context.WithTimeout(context.Background(), flushPatience) //nolint:forbidigo // Close has no context, as io.Closer
	defer cancel()
	_ = e.Flush(flushing)
	return errors.Join(e.index.Close(), e.lock.Unlock())
}

// write commits a batch to memory. The disk follows, not far behind.
func (e *Engine) write(ctx context.Context, batch *blevesearch.Batch) error {
	patience := time.NewTimer(flushPatience)
	defer patience.Stop()
	select {
	case e.unsynced <- struct{}{}:
	case <-patience.C:
		return fmt.Errorf("the disk does not take what was indexed: is there room in %s?", e.cfg.Dir)
	case <-ctx.Done():
		return ctx.Err()
	}
	batch.SetPersistedCallback(func(error) { <-e.unsynced })
	if err := e.index.Batch(batch); err != nil {
		<-e.unsynced
		return err
	}
	return nil
}

// Flush returns once everything that was committed before is on disk.
func (e *Engine) Flush(ctx context.Context) error {
	persisted := make(chan error, 1)
	batch := e.index.NewBatch()
	batch.SetInternal(keyFlush, nil)
	batch.SetPersistedCallback(func(err error) { persisted <- err })
	if err := e.index.Batch(batch); err != nil {
		return fmt.Errorf("flush the search index: %w", err)
	}
	select {
	case err := <-persisted:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

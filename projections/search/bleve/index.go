package bleve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	blevesearch "github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/search/query"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Engine is an open index. All methods may be used concurrently; Close once nothing else runs.
type Engine struct {
	cfg         Config
	path        string
	index       blevesearch.Index
	created     time.Time
	fingerprint string // of the version that made it

	unsynced chan struct{} // holds a token for each write that is not on disk yet
	places   places        // that somebody writes to who may meet newer documents there
}

var _ search.Index = (*Engine)(nil)

// Keys of what the index says about itself.
var (
	keyFormat      = []byte("tidemark/format")
	keyIncarnation = []byte("tidemark/incarnation")
	keyPartitions  = []byte("tidemark/partitions")
	keyFingerprint = []byte("tidemark/fingerprint")
	keyCreated     = []byte("tidemark/created")
	keyFlush       = []byte("tidemark/flush") // never has a value: a batch must hold something
)

// format is how documents are folded and laid out: an index of another one is not read.
var format = fmt.Sprintf("%d.%d", search.Format, layout)

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

func (s *Store) openEngine(ctx context.Context, number int) (*Engine, error) {
	e := &Engine{cfg: s.cfg, path: s.path(number), unsynced: make(chan struct{}, mostUnsynced)}
	var err error
	if e.index, err = openIndex(e.path); err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			return nil, fmt.Errorf("search index in %s: %w", e.path, projections.ErrHeld)
		}
		return nil, e.rebuild(search.ErrCorrupt, strings.Join(strings.Fields(err.Error()), " "))
	}
	if err := e.check(ctx); err != nil {
		return nil, errors.Join(err, e.index.Close())
	}
	return e, nil
}

// create makes an index beside its place and moves it there once it is whole: a crash in between leaves nothing that
// looks like an index.
func create(path string, cfg Config) error {
	fresh := path + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(path)); err != nil {
		return err
	}
	index, err := blevesearch.NewUsing(fresh, blevesearch.NewIndexMapping(), scorch.Name, scorch.Name, map[string]any{"bolt_timeout": boltTimeout})
	if err != nil {
		return err
	}
	about := index.NewBatch()
	about.SetInternal(keyFormat, []byte(format))
	about.SetInternal(keyIncarnation, []byte(cfg.Incarnation))
	about.SetInternal(keyPartitions, []byte(strconv.Itoa(cfg.Partitions)))
	about.SetInternal(keyFingerprint, []byte(Fingerprint()))
	about.SetInternal(keyCreated, []byte(time.Now().UTC().Format(time.RFC3339Nano)))
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

// check compares what the index says about itself.
func (e *Engine) check(context.Context) error {
	about := map[string]string{}
	for _, key := range [][]byte{keyFormat, keyIncarnation, keyPartitions, keyFingerprint, keyCreated} {
		v, err := e.index.GetInternal(key)
		if err != nil {
			return e.rebuild(search.ErrCorrupt, err.Error())
		}
		about[string(key)] = string(v)
	}
	has, incarnation, partitions := about[string(keyFormat)], about[string(keyIncarnation)], about[string(keyPartitions)]
	switch {
	case has == "" || incarnation == "":
		return e.rebuild(search.ErrCorrupt, "it does not say what it is")
	case has != format:
		return e.rebuild(search.ErrFormat, "format "+has+", this version writes "+format)
	case incarnation != e.cfg.Incarnation || partitions != strconv.Itoa(e.cfg.Partitions):
		return e.rebuild(search.ErrIncarnation, "made from log "+incarnation+" with "+partitions+" partitions")
	}
	e.fingerprint = about[string(keyFingerprint)]
	e.created, _ = time.Parse(time.RFC3339Nano, about[string(keyCreated)]) // for people to read
	return nil
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
func (e *Engine) Documents(ctx context.Context) (n uint64, err error) {
	r, done, err := e.reader()
	if err != nil {
		return 0, err
	}
	defer done()
	list, err := r.TermFieldReader(ctx, []byte(kindConversation), fieldKind, false, false, false)
	if err != nil {
		return 0, fmt.Errorf("count documents: %w", err)
	}
	return list.Count(), list.Close()
}

// Have reads documents.
func (e *Engine) Have(_ context.Context, list []events.Aggregate) (map[events.Aggregate]*search.Document, error) {
	out := make(map[events.Aggregate]*search.Document, len(list))
	return out, e.read(list, func(a events.Aggregate, k *kept) (err error) {
		if !k.Erased {
			out[a], err = k.whole()
		}
		return err
	})
}

// Places reads how far documents and stubs are.
func (e *Engine) Places(_ context.Context, list []events.Aggregate) (map[events.Aggregate]search.Place, error) {
	out := make(map[events.Aggregate]search.Place, len(list))
	return out, e.read(list, func(a events.Aggregate, k *kept) error {
		out[a] = search.Place{Position: k.Position, Gone: k.Erased}
		return nil
	})
}

func (e *Engine) read(list []events.Aggregate, fn func(events.Aggregate, *kept) error) error {
	r, done, err := e.reader()
	if err != nil {
		return err
	}
	defer done()
	places, of := make([]string, len(list)), make(map[string]events.Aggregate, len(list))
	for i, a := range list {
		places[i] = docID(a.Org, search.Key(a))
		of[places[i]] = a
	}
	return r.read(places, func(place string, k *kept) error { return fn(of[place], k) })
}

// Refresh has nothing to do: what is written is found.
func (e *Engine) Refresh(context.Context) error { return nil }

// Close gives the index up, once what was written is on disk.
func (e *Engine) Close() error {
	// Without a flush the last moment would be indexed again at the next start; a disk that does not answer may have that.
	flushing, cancel := context.WithTimeout(context.Background(), flushPatience) //nolint:forbidigo // Close has no context, as io.Closer
	defer cancel()
	_ = e.Flush(flushing)
	return e.index.Close()
}

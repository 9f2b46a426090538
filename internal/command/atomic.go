package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// errHappened leaves the closure of Atomic early: an aggregate that it touched knows the command already.
var errHappened = errors.New("the command has happened")

// Tx is the commands that Atomic will append together. It lives as long as one run of the closure, in one goroutine.
type Tx struct {
	ctx     context.Context //nolint:containedctx // a Tx lives inside one call of Atomic, whose ctx this is
	loop    *Loop
	meta    Meta
	held    map[events.Aggregate]bool // locks that the whole attempt holds; empty in the first attempt
	touched map[events.Aggregate]*touched
	order   []*touched // in the order of their first Stage
	known   *known
}

// touched is one aggregate as the Tx found it, and what it staged there.
type touched struct {
	aggregate events.Aggregate
	sequence  uint64
	revision  uint64
	trail     events.Trail
	state     any // with the drafts
	drafts    []events.Draft
}

type known struct {
	aggregate events.Aggregate
	first     uint64
}

// Atomic appends what fn stages in one batch, all or nothing, in the order of staging: one write for each aggregate.
// Result.Events are in that order, and Result.Position is of the last of them.
//
// fn is run again on a conflict, so it must do nothing but stage and peek, and it must return their errors. The first
// run holds no lock. A later one holds those of everything that was touched so far, taken in one order for all, so
// that the aggregates keep still in this process and nobody waits in a circle. What fn only peeked at is as new as the
// log was at that moment; the batch does not depend on it.
//
// When the first aggregate that fn touches knows the command, the answer is that aggregate's first events: touch the
// one first that the caller wants to hear of.
func (l *Loop) Atomic(ctx context.Context, m Meta, fn func(tx *Tx) error) (Result, error) {
	m = l.complete(m)
	seen := map[events.Aggregate]*touched{} // of every attempt
	var tries tries
	for {
		tx := &Tx{ctx: ctx, loop: l, meta: m, touched: map[events.Aggregate]*touched{}}
		if tries.n > 0 {
			if err := tx.hold(seen); err != nil {
				return Result{}, err
			}
		}
		result, last, err := tx.attempt(fn, &tries)
		tx.release()
		if err == nil {
			return result, nil
		}
		if last == nil {
			return Result{}, err
		}
		if err := l.again(ctx, last.aggregate, m, &tries, err); err != nil {
			return Result{}, err
		}
		maps.Copy(seen, tx.touched)
	}
}

// attempt runs fn and appends. When it was the append that failed, the write that is named in errors is answered too.
func (tx *Tx) attempt(fn func(tx *Tx) error, tries *tries) (Result, *touched, error) {
	err := fn(tx)
	if tx.known != nil {
		result, err := tx.loop.replay(tx.ctx, tx.known.aggregate, tx.meta, tx.known.first, *tries)
		if errors.Is(err, errErased) {
			tx.loop.cache.Invalidate(tx.known.aggregate)
			return Result{}, &touched{aggregate: tx.known.aggregate}, err
		}
		return result, nil, err
	}
	if err != nil {
		return Result{}, nil, err
	}
	var writes []eventlog.Write
	var staged []*touched
	for _, t := range tx.order {
		if len(t.drafts) > 0 {
			writes = append(writes, eventlog.Write{Aggregate: t.aggregate, Expected: t.sequence, Before: t.trail, Drafts: t.drafts})
			staged = append(staged, t)
			tries.note(t.drafts)
		}
	}
	if len(writes) == 0 {
		return tx.nothingNew()
	}
	last := staged[len(staged)-1]
	sequences, err := tx.loop.log.Append(tx.ctx, writes...)
	if err != nil {
		for _, t := range staged {
			tx.loop.cache.Invalidate(t.aggregate)
		}
		return Result{}, last, err
	}
	return tx.advance(staged, sequences), nil, nil
}

// nothingNew answers where what was staged stands already; of what is nowhere yet, where the newest stands that was only
// peeked at.
func (tx *Tx) nothingNew() (Result, *touched, error) {
	var at *touched
	for _, t := range slices.Backward(tx.order) {
		if t.sequence > 0 {
			at = t
			break
		}
	}
	if at == nil {
		for _, t := range tx.touched {
			if t.sequence > 0 && (at == nil || t.sequence > at.sequence) {
				at = t
			}
		}
	}
	if at == nil {
		return Result{}, nil, errors.New("an atomic command staged nothing")
	}
	return Result{Position: tx.loop.log.Position(at.aggregate, at.sequence)}, nil, nil
}

// advance moves the folds of what was staged, first those whose locks are held.
func (tx *Tx) advance(staged []*touched, sequences []uint64) Result {
	recorded := make([][]events.Recorded, len(staged))
	for i, t := range staged {
		if tx.held[t.aggregate] {
			recorded[i] = tx.loop.advanceShared(t, sequences[i])
		}
	}
	tx.release()
	for i, t := range staged {
		if recorded[i] != nil {
			continue
		}
		if !tx.loop.locks.tryLock(t.aggregate) {
			// What is durable waits for nobody. An entry that stays behind is found out before it is used again.
			recorded[i] = recordedOf(t.aggregate, tx.loop.log.Position(t.aggregate, sequences[i]), t.drafts)
			continue
		}
		recorded[i] = tx.loop.advanceShared(t, sequences[i])
		tx.loop.locks.unlock(t.aggregate)
	}
	last := len(staged) - 1
	return Result{
		Position: tx.loop.log.Position(staged[last].aggregate, sequences[last]),
		Events:   slices.Concat(recorded...),
	}
}

// advanceShared moves the cached fold of an aggregate if it still stands where the Tx found it.
func (l *Loop) advanceShared(t *touched, last uint64) []events.Recorded {
	f, cached := l.cache.GetIfPresent(t.aggregate)
	switch {
	case !cached && t.sequence == 0:
		f = &fold{}
	case !cached, f.sequence != t.sequence:
		return recordedOf(t.aggregate, l.log.Position(t.aggregate, last), t.drafts)
	}
	return l.advance(t.aggregate, work{fold: f, state: t.state, drafts: t.drafts}, last)
}

// hold takes the locks of all aggregates in one order.
func (tx *Tx) hold(seen map[events.Aggregate]*touched) error {
	tx.held = make(map[events.Aggregate]bool, len(seen))
	for _, a := range slices.SortedFunc(maps.Keys(seen), compare) {
		if err := tx.loop.locks.lock(tx.ctx, a); err != nil {
			tx.release()
			return fmt.Errorf("wait for %s: %w", a, err)
		}
		tx.held[a] = true
	}
	return nil
}

func (tx *Tx) release() {
	for a := range tx.held {
		tx.loop.locks.unlock(a)
	}
	tx.held = nil
}

func compare(a, b events.Aggregate) int {
	if c := strings.Compare(a.Org, b.Org); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// Stage decides a command within a Tx. Several on one aggregate fold on.
func Stage[S, C any](tx *Tx, h *Handler[S, C], org, id string, c C) error {
	t, err := touch(tx, h, org, id)
	if err != nil {
		return err
	}
	state, _ := t.state.(S)
	decided, err := h.decider.Decide(state, c)
	if err != nil {
		return err
	}
	if !slices.Contains(tx.order, t) {
		tx.order = append(tx.order, t)
	}
	drafts, next := stage(h.decider.Evolve, state, tx.meta, c, t.revision, decided)
	t.drafts, t.state, t.revision = append(t.drafts, drafts...), next, t.revision+uint64(len(drafts))
	return nil
}

// Peek is the state of an aggregate within a Tx, with what was staged; false: it does not exist.
func Peek[S, C any](tx *Tx, h *Handler[S, C], org, id string) (S, bool, error) {
	t, err := touch(tx, h, org, id)
	if err != nil {
		var none S
		return none, false, err
	}
	state, _ := t.state.(S)
	return state, t.revision > 0, nil
}

// touch is an aggregate as the Tx sees it; the first time it is brought up to the newest event.
func touch[S, C any](tx *Tx, h *Handler[S, C], org, id string) (*touched, error) {
	a := events.Aggregate{Org: org, Kind: h.decider.Kind, ID: id}
	if t := tx.touched[a]; t != nil {
		return t, nil
	}
	if !a.Valid() {
		return nil, ErrIDInvalid
	}
	f, unlock, err := tx.look(a, h)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if memo, happened := f.commands[keyOf(tx.meta.ID)]; happened {
		if err := memo.matches(tx.meta); err != nil {
			return nil, err
		}
		tx.known = &known{aggregate: a, first: memo.first}
		return nil, errHappened
	}
	t := &touched{aggregate: a, sequence: f.sequence, revision: f.revision, trail: f.trail, state: f.state}
	tx.touched[a] = t
	return t, nil
}

// look is the fold of an aggregate. Who holds locks must not wait for another one, so it then folds for itself.
func (tx *Tx) look(a events.Aggregate, h folder) (f *fold, unlock func(), err error) {
	unlock = func() {}
	switch {
	case tx.held[a]:
		f, err = h.fresh(tx.ctx, a)
		return f, unlock, err
	case len(tx.held) > 0:
		f, err = h.alone(tx.ctx, a)
		return f, unlock, err
	}
	if err := tx.loop.locks.lock(tx.ctx, a); err != nil {
		return nil, nil, fmt.Errorf("wait for %s: %w", a, err)
	}
	if f, err = h.fresh(tx.ctx, a); err != nil {
		tx.loop.locks.unlock(a)
		return nil, nil, err
	}
	return f, func() { tx.loop.locks.unlock(a) }, nil
}

// folder is a Handler of any types.
type folder interface {
	fresh(ctx context.Context, a events.Aggregate) (*fold, error)
	alone(ctx context.Context, a events.Aggregate) (*fold, error)
}

// alone folds an aggregate without the cache, and so without its lock.
func (h *Handler[S, C]) alone(ctx context.Context, a events.Aggregate) (*fold, error) {
	f := &fold{}
	_, err := catchUp(ctx, h.loop.log, a, f, h.decider.Evolve)
	return f, err
}

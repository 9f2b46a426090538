package indexes

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// Why roles cannot be changed now.
var (
	ErrBuilding = fault.New(fault.Conflict, "rebuild_running", "a search index is being built already").
			WithHint("'tidemark search status' tells how far it is; 'tidemark search cancel' gives it up")
	ErrKept = fault.New(fault.Conflict, "rebuild_state", "the index that served before is still kept").
		WithHint("'tidemark search drop' removes it; then build anew")
	ErrNoRole = fault.New(fault.Conflict, "rebuild_state", "there is no such index")
)

// Begin makes an empty index beside the one that serves. From then on every commit goes to both.
func (s *Set) Begin(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	switch {
	case s.members[search.RoleBuilding] != nil:
		return ErrBuilding
	case s.members[search.RolePrevious] != nil:
		return ErrKept
	}
	all, err := s.store.Indexes(ctx)
	if err != nil {
		return err
	}
	index, err := s.store.Create(ctx, next(all), search.RoleBuilding)
	if err != nil {
		return err
	}
	s.put(search.RoleBuilding, &member{Index: index, number: next(all)})
	return nil
}

// Prepare gives the index that is built what was known before it: what became of customers, and how far the others are. It
// may be repeated.
func (s *Set) Prepare(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	building := s.members[search.RoleBuilding]
	if building == nil {
		return ErrNoRole
	}
	if err := building.Write(ctx, search.Batch{Plan: search.Plan{Marks: s.people.List()}}); err != nil {
		return err
	}
	return s.copyProgress(ctx, building)
}

// copyProgress writes into an index how far the serving one is. The caller holds changing for writing.
func (s *Set) copyProgress(ctx context.Context, to *member) error {
	for partition := range s.partitions {
		state, err := s.stateOf(ctx, partition)
		if err != nil {
			return err
		}
		if _, err := to.State(ctx, partition); err != nil { // an engine may have to know what it writes over
			return err
		}
		p := search.Progress{Partition: partition, State: state, Ahead: true, Parked: true}
		if err := to.Write(ctx, search.Batch{Progress: &p}); err != nil {
			return err
		}
	}
	return nil
}

// stateOf is how far the serving index is. The caller holds changing, for writing unless the partition is open.
func (s *Set) stateOf(ctx context.Context, partition int) (projections.State, error) {
	if state, known := s.known(partition); known {
		return state, nil
	}
	return s.members[search.RoleServing].State(ctx, partition)
}

// known is how far the serving index is, if its partition is open.
func (s *Set) known(partition int) (projections.State, bool) {
	s.mu.Lock()
	held := s.held[partition]
	s.mu.Unlock()
	if held == nil {
		return projections.State{}, false
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	return held.state, held.loaded
}

// States are how far the serving index is, by partition. They are never changed.
func (s *Set) States(ctx context.Context) ([]projections.State, error) {
	out := make([]projections.State, s.partitions)
	all := true
	for partition := range out {
		var known bool
		out[partition], known = s.known(partition)
		all = all && known
	}
	if all { // nobody has to wait
		return out, nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	for partition := range out {
		var err error
		if out[partition], err = s.stateOf(ctx, partition); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Behind tells from which sequence on an index may lack what the serving one has, because a crash took it from one and not
// from the other; zero: from none.
func (s *Set) Behind(ctx context.Context, role search.Role) (from uint64, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	m := s.members[role]
	if m == nil {
		return 0, ErrNoRole
	}
	for partition := range s.partitions {
		serving, err := s.stateOf(ctx, partition)
		if err != nil {
			return 0, err
		}
		its, err := m.State(ctx, partition)
		if err != nil {
			return 0, err
		}
		if its.Progress == serving.Progress && reflect.DeepEqual(its.Ahead, serving.Ahead) {
			continue
		}
		if lowest := min(its.Progress.Checkpoint, serving.Progress.Checkpoint) + 1; from == 0 || lowest < from {
			from = lowest
		}
	}
	return from, nil
}

// Has tells whether there is an index of a role.
func (s *Set) Has(role search.Role) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[role] != nil
}

// Fill writes documents that were folded from the log into an index that does not serve, where the live indexer may have
// been faster.
func (s *Set) Fill(ctx context.Context, role search.Role, docs []*search.Document) error {
	s.changing.RLock()
	defer s.changing.RUnlock()
	m := s.members[role]
	if m == nil {
		return ErrNoRole
	}
	if err := m.failed(); err != nil {
		return err
	}
	var plan search.Plan
	for _, d := range docs {
		if d.Erased || s.people.Gone(d.Owner()) {
			plan.Gone = append(plan.Gone, search.Gone{Org: d.Org, ID: d.Key(), Position: d.Position})
			continue
		}
		if !d.Nameless() {
			plan.Put = append(plan.Put, d)
		}
	}
	return m.Write(ctx, search.Batch{Plan: plan, Overtaken: true})
}

// With lends the index of a role.
func (s *Set) With(role search.Role, fn func(search.Index) error) error {
	m, done := s.use(role)
	if m == nil {
		return ErrNoRole
	}
	defer done()
	return fn(m.Index)
}

// Still lends the serving index and another one while nothing is written to either; both show all that was.
func (s *Set) Still(ctx context.Context, role search.Role, fn func(serving, other search.Index) error) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	serving, other := s.members[search.RoleServing], s.members[role]
	if other == nil {
		return ErrNoRole
	}
	if err := errors.Join(other.failed(), serving.Refresh(ctx), other.Refresh(ctx)); err != nil {
		return err
	}
	return fn(serving.Index, other.Index)
}

// Switch has the index of a role serve; the one that served is kept as the previous one. Searches are answered all the time.
func (s *Set) Switch(ctx context.Context, role search.Role) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	serving, to := s.members[search.RoleServing], s.members[role]
	switch {
	case to == nil:
		return ErrNoRole
	case role != search.RolePrevious && s.members[search.RolePrevious] != nil:
		return ErrKept
	}
	if err := to.failed(); err != nil {
		return err
	}
	if err := s.copyProgress(ctx, to); err != nil {
		return err
	}
	if err := to.Refresh(ctx); err != nil {
		return err
	}
	if err := s.store.Assign(ctx, map[int]search.Role{to.number: search.RoleServing, serving.number: search.RolePrevious}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, role)
	s.members[search.RoleServing], s.members[search.RolePrevious] = to, serving
	return nil
}

// Drop removes an index that does not serve.
func (s *Set) Drop(ctx context.Context, role search.Role) error {
	if role == search.RoleServing {
		return errors.New("the index that serves is not dropped")
	}
	s.changing.Lock()
	m := s.members[role]
	if m == nil {
		s.changing.Unlock()
		return ErrNoRole
	}
	if err := s.store.Assign(ctx, map[int]search.Role{m.number: search.RoleNone}); err != nil {
		s.changing.Unlock()
		return err
	}
	s.put(role, nil)
	s.changing.Unlock()

	m.using.Lock() // once nobody reads
	m.gone = true
	m.using.Unlock()
	if err := m.Close(); err != nil {
		return fmt.Errorf("close the %s search index: %w", role, err)
	}
	return s.store.Remove(ctx, m.number)
}

// put gives a role to an index; nil: to none. The caller holds changing for writing.
func (s *Set) put(role search.Role, m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m == nil {
		delete(s.members, role)
		return
	}
	s.members[role] = m
}

// fail notes that an index lacks something, and cannot take the place of another.
func (m *member) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.why == nil {
		m.why = fault.Newf(fault.Conflict, "rebuild_state", "this index lacks something: %s", err.Error()).
			WithHint("drop it, or give the rebuild up, and build anew")
	}
}

func (m *member) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.why
}

// Failed tells why the index of a role cannot take the place of another; nil when it can.
func (s *Set) Failed(role search.Role) error {
	s.mu.Lock()
	m := s.members[role]
	s.mu.Unlock()
	if m == nil {
		return ErrNoRole
	}
	return m.failed()
}

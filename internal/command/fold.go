package command

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
)

// ErrEventUnknown refuses to decide on a history that this binary does not fully understand: a decider that does not
// know what happened must not say what happens next.
var ErrEventUnknown = fault.New(fault.Unavailable, "event_unknown", "this version does not understand the whole history").
	WithHint("a newer version wrote to the log: update this one")

// fold is one aggregate up to one event. It is only touched by whoever holds the aggregate's lock; the state in it
// may be shared, because states are never changed in place.
type fold struct {
	state    any // of the aggregate's State type
	sequence uint64
	revision uint64
	trail    events.Trail
	commands map[commandKey]memo
	weight   uint32 // as the cache was last told
}

// commandKey is the first 16 bytes of the SHA-256 of a command's id: ids come from clients and may be long.
type commandKey [16]byte

// memo is what is remembered of a command: enough to find its events and to compare its content.
type memo struct {
	first  uint64 // sequence of its first event here
	digest [8]byte
}

func keyOf(commandID string) commandKey {
	sum := sha256.Sum256([]byte(commandID))
	return commandKey(sum[:16])
}

func digestOf(digest string) [8]byte {
	if digest == "" {
		return [8]byte{} // not compared
	}
	sum := sha256.Sum256([]byte(digest))
	return [8]byte(sum[:8])
}

// Sized is a State that may hold more than an id for each event of its history.
type Sized interface{ Size() int }

// size is a guess at what the fold holds, in bytes.
func (f *fold) size() uint32 {
	const fixed, perEvent, perCommand = 1024, 64, 64
	size := fixed + perEvent*f.revision + perCommand*uint64(len(f.commands))
	if s, ok := f.state.(Sized); ok {
		size += uint64(s.Size()) //nolint:gosec // a size is positive
	}
	return uint32(min(size, 1<<31))
}

// remember notes which command made an event; the first event of a command counts.
func (f *fold) remember(command, digest string, sequence uint64) {
	if command == "" {
		return
	}
	key := keyOf(command)
	if _, known := f.commands[key]; known {
		return
	}
	if f.commands == nil {
		f.commands = make(map[commandKey]memo, 1)
	}
	f.commands[key] = memo{first: sequence, digest: digestOf(digest)}
}

// catchUp reads what the fold has not seen and folds it. It changes nothing when it fails. The last event that the fold
// has seen is read again: when it is gone, the history was erased, and the fold starts over with what is left.
func catchUp[S any](ctx context.Context, log Log, a events.Aggregate, f *fold, evolve func(S, events.Event) S) (news bool, err error) {
	recorded, err := log.Read(ctx, a, max(f.sequence, 1)-1)
	erased := false
	if err == nil && f.sequence > 0 {
		if erased = len(recorded) == 0 || recorded[0].Sequence != f.sequence; erased {
			recorded, err = log.Read(ctx, a, 0)
		} else {
			recorded = recorded[1:]
		}
	}
	if err != nil {
		return false, fmt.Errorf("load %s: %w", a, err)
	}
	for _, r := range recorded {
		if u, unknown := r.Event.(events.Unknown); unknown {
			return false, ErrEventUnknown.WithCause(fmt.Errorf("%s at %d: %s: %s", a, r.Sequence, u.Type, u.Reason))
		}
	}
	if erased {
		*f = fold{weight: f.weight}
	}
	state := stateOf[S](f)
	for _, r := range recorded {
		state = evolve(state, r.Event)
		f.remember(r.Command, r.Digest, r.Sequence)
		f.sequence, f.revision, f.trail = r.Sequence, r.Revision, f.trail.Push(r.Sequence)
	}
	f.state = state
	return erased || len(recorded) > 0, nil
}

func stateOf[S any](f *fold) S {
	s, _ := f.state.(S) // the zero state while there is none
	return s
}

// errErased says that a fold remembers a command whose events were erased since: the command is decided anew.
var errErased = errors.New("the events of the command were erased")

// original is the events that a command made the first time. Errors: eventlog.ErrConflict because of errErased.
func original(ctx context.Context, log Log, a events.Aggregate, command string, first uint64) ([]events.Recorded, error) {
	recorded, err := log.ReadCommand(ctx, a, first, command)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", a, err)
	}
	if len(recorded) == 0 {
		return nil, eventlog.ErrConflict.WithCause(fmt.Errorf("load %s: %w", a, errErased))
	}
	return recorded, nil
}

package eventlog

import (
	"context"
	"slices"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
)

// trailEvents is how many events are read by sequence at most. A longer history is looked for by subject: that costs a walk
// over the events of others, and no round trip for every few of its own.
const trailEvents = 64

// newestOf is the aggregate's last event, as the leader knows it.
func (l *Log) newestOf(ctx context.Context, subject string) (e events.Recorded, found bool, err error) {
	if l.replicated {
		return l.leaderGet(ctx, getRequest{Last: subject})
	}
	return l.directGet(ctx, getRequest{Last: subject})
}

// at is the event at a sequence, which may have been erased.
func (l *Log) at(ctx context.Context, sequence uint64) (e events.Recorded, found bool, err error) {
	e, found, err = l.directGet(ctx, getRequest{Sequence: sequence})
	if err == nil && !found && l.replicated { // the replica that answered may lag
		return l.leaderGet(ctx, getRequest{Sequence: sequence})
	}
	return e, found, err
}

// directGet asks any replica for one event.
func (l *Log) directGet(ctx context.Context, ask getRequest) (e events.Recorded, found bool, err error) {
	err = l.requests.ask(ctx, subjectDirect, ask, func() {}, func(m *nats.Msg) (bool, error) {
		switch status := m.Header.Get(headerStatus); status {
		case "":
			var err error
			e, err = decodeStored(m)
			found = err == nil
			return true, err
		case statusNotFound:
			return true, nil
		default:
			return true, &apiError{Description: status + " " + m.Header.Get("Description")}
		}
	})
	return e, found, err
}

// followTrail reads the events of r's aggregate before r and beyond after, back along the trail that the events tell. from
// is where that ended, once there are most of them: all of them from there on are in the answer, and when it is at most after+1 nothing is missing.
func (l *Log) followTrail(ctx context.Context, r events.Recorded, after uint64, most int) (found []events.Recorded, from uint64, err error) {
	for oldest := r; ; oldest = found[len(found)-1] { // newest first, for now
		wanted := wantedOf(oldest.Before, after)
		switch {
		case oldest.Before[0] == 0 && oldest.Revision == 1, len(wanted) == 0 && oldest.Before[0] != 0:
			return oldestFirst(found), after + 1, nil
		case len(wanted) == 0, len(found) >= most: // it is not told, or it is long
			return oldestFirst(found), oldest.Sequence, nil
		}
		more, err := l.all(ctx, wanted)
		if err != nil {
			return nil, 0, err
		}
		if found = append(found, more...); len(more) < len(wanted) {
			return oldestFirst(found), after + 1, nil // what is older was erased
		}
	}
}

// wantedOf is the part of a trail that is beyond a sequence.
func wantedOf(t events.Trail, after uint64) []uint64 {
	n := 0
	for n < len(t) && t[n] > after {
		n++
	}
	return t[:n]
}

// all gives the events at these sequences, in their order, up to the first that is not there. The server is asked for what
// the process has not read for its projections.
func (l *Log) all(ctx context.Context, sequences []uint64) ([]events.Recorded, error) {
	out := make([]events.Recorded, len(sequences))
	there := make([]bool, len(sequences))
	group, ctx := errgroup.WithContext(ctx)
	for i, sequence := range sequences {
		if out[i], there[i] = l.blocks.peek(sequence); there[i] {
			continue
		}
		group.Go(func() (err error) {
			out[i], there[i], err = l.at(ctx, sequence)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if n := slices.Index(there, false); n >= 0 {
		out = out[:n]
	}
	return out, nil
}

func oldestFirst(found []events.Recorded) []events.Recorded {
	slices.Reverse(found)
	return found
}

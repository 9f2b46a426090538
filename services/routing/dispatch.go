package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// The reasons that routing gives.
const (
	ReasonDefaultQueue  = "default_queue"
	ReasonSpareCapacity = "most_spare_capacity"
	ReasonAgentOffline  = "agent_offline"
	ReasonSnoozeElapsed = "snooze_elapsed"
)

// patience is how long a process that takes over waits for the work items to show what was done before.
const patience = 5 * time.Second

// together is how many commands are given at a time; the log takes them in one batch.
const together = 16

// dispatcher performs routing's intents. Everything that it remembers is a convenience: when it is lost, the ids of
// the commands and the domain still keep anything from happening twice.
type dispatcher struct {
	log           projections.Log
	fresh         *projections.Freshness
	pool          *pgxpool.Pool
	directory     Directory
	loop          *command.Loop
	conversations *Conversations
	logger        *slog.Logger
	clock         func() time.Time
	burst         int
	window        time.Duration

	ticks atomic.Uint64 // orders arrivals of intents and beginnings of looks
	mu    sync.Mutex
	orgs  map[string]*orgMemory
}

// orgMemory is of one org, of which one look at a time is under way.
type orgMemory struct {
	sync.Mutex
	marks  map[string]mark // by conversation
	looked uint64          // tick at which the last look that came to its end had begun
}

// begin forgets what this process knew when it gave commands last: another has given them since. The events of those
// may not be folded yet, and until they are their agents look freer than they are. That is soon, unless there is a
// backlog: then routing does not wait for its end, and the burst cap bounds what an agent may be given too much.
func (d *dispatcher) begin(ctx context.Context) error {
	d.mu.Lock()
	clear(d.orgs)
	d.mu.Unlock()
	enough := time.Now().Add(patience)
	for partition := range d.log.Partitions() {
		at := events.Position{Incarnation: d.log.Incarnation(), Partition: partition, Sequence: d.log.HeadOf(partition)}
		err := d.fresh.Await(ctx, Name, at, max(time.Until(enough), time.Millisecond))
		if err != nil && !errors.Is(err, projections.ErrNotYet) {
			return fmt.Errorf("wait for the work items: %w", err)
		}
	}
	return nil
}

func (d *dispatcher) perform(ctx context.Context, i projections.Intent) error {
	switch i.Kind {
	case intentDispatch:
		return d.dispatch(ctx, i)
	case intentWake:
		return d.wake(ctx, i)
	default:
		return fmt.Errorf("an intent of unknown kind %q", i.Kind)
	}
}

// dispatch looks at an org's work. It is never given up: without it the org's work would lie there until the next
// event. An intent that came before a look began is covered by that look.
func (d *dispatcher) dispatch(ctx context.Context, i projections.Intent) error {
	if err := d.directory.WaitFor(ctx, i.Cause); err != nil {
		return fmt.Errorf("wait for the directory: %w", err)
	}
	arrived := d.ticks.Add(1)
	memory := d.memory(i.Org)
	memory.Lock()
	defer memory.Unlock()
	if memory.looked > arrived {
		return nil
	}
	began := d.ticks.Add(1)
	later, err := d.dealWith(ctx, i, memory.marks)
	if err != nil {
		return errDelayed.WithCause(err)
	}
	memory.looked = began
	if later {
		return projections.NotNow{After: d.window}
	}
	return nil
}

// errMovedOn is a refusal like the domain's: the conversation is not as it was when the command was planned.
var errMovedOn = fault.New(fault.Conflict, "conversation_moved_on", "the conversation is no longer as it was")

var errDelayed = fault.New(fault.Unavailable, "routing_delayed", "the org's work could not be dealt with now")

// dealWith looks and gives commands until nothing is left to do; later tells that something is left for which it is
// only too early.
func (d *dispatcher) dealWith(ctx context.Context, i projections.Intent, marks map[string]mark) (later bool, err error) {
	tried := map[string]bool{} // what was refused although its item is up to date is not asked again this time
	for {
		v := look(d.directory, i.Org)
		w, err := d.read(ctx, i.Org, v, marks, tried)
		if err != nil {
			return false, err
		}
		given := assign(v, w, d.burst)
		if len(w.Held)+len(w.Unplaced)+len(given) == 0 {
			return w.Later, nil
		}
		r := round{dispatcher: d, org: i.Org, intent: i, marks: marks, tried: tried}
		if err := r.run(ctx, w, v, given); err != nil {
			return false, err
		}
	}
}

func (d *dispatcher) memory(org string) *orgMemory {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.orgs[org]
	if m == nil {
		m = &orgMemory{marks: map[string]mark{}}
		d.orgs[org] = m
	}
	return m
}

// round gives the commands that one look calls for.
type round struct {
	*dispatcher
	org    string
	intent projections.Intent
	mu     sync.Mutex // of the maps
	marks  map[string]mark
	tried  map[string]bool
}

func (r *round) run(ctx context.Context, w work, v desk, given []decision) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, c := range w.Held {
		g.Go(func() error { return r.take(ctx, c) })
	}
	for _, c := range given {
		g.Go(func() error { return r.give(ctx, c) })
	}
	for _, c := range w.Unplaced {
		g.Go(func() error { return r.place(ctx, c, v.Default) })
	}
	return g.Wait()
}

func (r *round) take(ctx context.Context, c decision) error {
	m := r.meta("takeback", c)
	_, err := r.conversations.Handle(ctx, r.org, c.ConversationID, m,
		conversation.UnassignFrom{AgentID: c.AgentID, Reason: ReasonAgentOffline})
	return r.done(ctx, c, m, err, "")
}

// place moves the conversation only if it is still where it was seen: somebody may have queued it meanwhile.
func (r *round) place(ctx context.Context, c decision, queue string) error {
	m := r.meta("place", c)
	_, err := r.loop.Atomic(ctx, m, func(tx *command.Tx) error {
		s, _, err := command.Peek(tx, r.conversations, r.org, c.ConversationID)
		if err != nil {
			return err
		}
		if s.QueueID != c.QueueID || s.AssigneeID != "" {
			return errMovedOn
		}
		return command.Stage(tx, r.conversations, r.org, c.ConversationID, conversation.Command(conversation.Queue{QueueID: queue, Reason: ReasonDefaultQueue}))
	})
	return r.done(ctx, c, m, err, "")
}

// give looks at the agent once more: the look that chose may be as old as the commands before this one took.
func (r *round) give(ctx context.Context, c decision) error {
	if a, ok := r.directory.Agent(r.org, c.AgentID); !ok || a.Deactivated || a.Presence != events.PresenceOnline {
		return nil // the next look chooses another
	}
	m := r.meta("routing", c)
	_, err := r.conversations.Handle(ctx, r.org, c.ConversationID, m,
		conversation.RouteTo{QueueID: c.QueueID, AgentID: c.AgentID, Reason: ReasonSpareCapacity})
	return r.done(ctx, c, m, err, c.AgentID)
}

func (r *round) meta(what string, c decision) command.Meta {
	return command.Meta{
		ID:    what + ":" + c.ConversationID + ":" + strconv.FormatUint(c.Version, 10),
		Actor: events.Actor{Type: events.ActorRouting},
		Depth: r.intent.Depth, Cause: r.intent.Cause,
	}
}

// done remembers what came of a command. A refusal is an outcome too: the state has moved on, and the events that
// moved it will be folded.
func (r *round) done(ctx context.Context, c decision, m command.Meta, err error, agent string) error {
	if err != nil {
		if !refused(err) {
			return fmt.Errorf("command %s: %w", m.ID, err)
		}
		r.logger.DebugContext(ctx, "routing was refused", "command_id", m.ID, "subject", r.org+".conversation."+c.ConversationID, "code", fault.CodeOf(err))
	}
	s, sequence, err := r.conversations.State(ctx, r.org, c.ConversationID)
	if err != nil {
		return fmt.Errorf("state after command %s: %w", m.ID, err)
	}
	if s.AssigneeID != agent {
		agent = "" // it has moved on since, or had been given out before
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried[c.ConversationID] = true
	r.marks[c.ConversationID] = mark{Sequence: sequence, AgentID: agent, Time: r.clock()}
	return nil
}

// refused tells whether asking again would be answered the same.
func refused(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Forbidden:
		return true
	default:
		return false
	}
}

// wake ends a snooze whose time has come, if it is still that snooze.
func (d *dispatcher) wake(ctx context.Context, i projections.Intent) error {
	var p wake
	if err := json.Unmarshal(i.Payload, &p); err != nil {
		return fmt.Errorf("payload of %s: %w", i.ID, err)
	}
	m := command.Meta{ID: i.ID, Actor: events.Actor{Type: events.ActorRouting}, Depth: i.Depth, Cause: i.Cause}
	_, err := d.loop.Atomic(ctx, m, func(tx *command.Tx) error {
		s, _, err := command.Peek(tx, d.conversations, i.Org, p.ConversationID)
		if err != nil {
			return err
		}
		if s.Status != events.StatusSnoozed || !s.Until.Equal(p.Until) {
			return errMovedOn
		}
		return command.Stage(tx, d.conversations, i.Org, p.ConversationID, conversation.Command(conversation.Wake{Reason: ReasonSnoozeElapsed}))
	})
	if err != nil && !refused(err) {
		return fmt.Errorf("command %s: %w", i.ID, err)
	}
	return nil
}

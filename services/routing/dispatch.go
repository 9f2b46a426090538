package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
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

const (
	// piece is how many conversations of each list one look deals with.
	piece = 128
	// together is how many commands are given at a time; the log takes them in one batch.
	together = 16
	// unfolded is how many conversations may have commands whose events the work items do not show yet. The commands can
	// be given no faster than their events are folded.
	unfolded = 8 * piece
	shortly  = 200 * time.Millisecond
)

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

	mu   sync.Mutex
	orgs map[string]*orgMemory
}

// orgMemory is of one org, of which one look at a time is under way.
type orgMemory struct {
	sync.Mutex
	marks map[string]mark   // by conversation
	tried map[string]uint64 // conversations for which nothing was done, and up to where they were folded; see round.done
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

// dispatch looks at an org's work once and gives the commands that this look calls for, piece of them at most. What is
// left is asked for again, so that other orgs have their turn in between. It is never given up: without it the org's work
// would lie there until the next event.
func (d *dispatcher) dispatch(ctx context.Context, i projections.Intent) error {
	if err := d.directory.WaitFor(ctx, i.Cause); err != nil {
		return fmt.Errorf("wait for the directory: %w", err)
	}
	memory := d.memory(i.Org)
	memory.Lock()
	defer memory.Unlock()
	v := look(d.directory, i.Org)
	w, err := d.read(ctx, i.Org, v, memory)
	if err != nil {
		return errDelayed.WithCause(err)
	}
	if len(memory.marks) >= unfolded {
		return projections.NotNow{After: shortly} // more would only be asked what has been asked already
	}
	r := round{dispatcher: d, org: i.Org, intent: i, memory: memory}
	more, err := r.run(ctx, w, v)
	switch {
	case err != nil:
		return errDelayed.WithCause(err)
	case more:
		return projections.NotNow{}
	}
	clear(memory.tried)
	if w.Later {
		return projections.NotNow{After: d.window}
	}
	return nil
}

// errMovedOn is a refusal like the domain's: the conversation is not as it was when the command was planned.
var errMovedOn = fault.New(fault.Conflict, "conversation_moved_on", "the conversation is no longer as it was")

var errDelayed = fault.New(fault.Unavailable, "routing_delayed", "the org's work could not be dealt with now")

func (d *dispatcher) memory(org string) *orgMemory {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := d.orgs[org]
	if m == nil {
		m = &orgMemory{marks: map[string]mark{}, tried: map[string]uint64{}}
		d.orgs[org] = m
	}
	return m
}

// round gives the commands that one look calls for.
type round struct {
	*dispatcher
	org    string
	intent projections.Intent
	mu     sync.Mutex // of the maps in memory
	memory *orgMemory
	passed bool // over a conversation for which nothing was done: another may be dealt with instead
}

// run tells whether another look would find more to do now. What the commands change is no reason for one: their events
// ask for a look when they are folded.
func (r *round) run(ctx context.Context, w work, v desk) (more bool, err error) {
	given := assign(v, w, r.burst)
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
	if err := g.Wait(); err != nil {
		return false, err
	}
	return w.More || r.passed || len(w.Waiting) >= piece && len(given) > 0, nil
}

func (r *round) take(ctx context.Context, c decision) error {
	m := r.meta("takeback", c)
	came, err := r.conversations.Handle(ctx, r.org, c.ConversationID, m,
		conversation.UnassignFrom{AgentID: c.AgentID, Reason: ReasonAgentOffline})
	return r.done(ctx, c, m, came, err, "")
}

// place moves the conversation only if it is still where it was seen: somebody may have queued it meanwhile.
func (r *round) place(ctx context.Context, c decision, queue string) error {
	m := r.meta("place", c)
	came, err := r.loop.Atomic(ctx, m, func(tx *command.Tx) error {
		s, _, err := command.Peek(tx, r.conversations, r.org, c.ConversationID)
		if err != nil {
			return err
		}
		if s.QueueID != c.QueueID || s.AssigneeID != "" {
			return errMovedOn
		}
		return command.Stage(tx, r.conversations, r.org, c.ConversationID, conversation.Command(conversation.Queue{QueueID: queue, Reason: ReasonDefaultQueue}))
	})
	return r.done(ctx, c, m, came, err, "")
}

// give looks at the agent once more: the look that chose may be as old as the commands before this one took.
func (r *round) give(ctx context.Context, c decision) error {
	if a, ok := r.directory.Agent(r.org, c.AgentID); !ok || a.Deactivated || a.Presence != events.PresenceOnline {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.passed = true // the next look chooses another
		return nil
	}
	m := r.meta("routing", c)
	came, err := r.conversations.Handle(ctx, r.org, c.ConversationID, m,
		conversation.RouteTo{QueueID: c.QueueID, AgentID: c.AgentID, Reason: ReasonSpareCapacity})
	return r.done(ctx, c, m, came, err, c.AgentID)
}

func (r *round) meta(what string, c decision) command.Meta {
	return command.Meta{
		ID:    what + ":" + c.ConversationID + ":" + strconv.FormatUint(c.Version, 10),
		Actor: events.Actor{Type: events.ActorRouting},
		Depth: r.intent.Depth, Cause: r.intent.Cause,
	}
}

// done remembers what came of a command. What made events is left alone until those are folded; they ask for a look then.
// A refusal is an outcome too: the state has moved on, and the events that moved it will be folded, each of which may be
// the one that asks. So what was refused, or was as wished already, is left alone only while its item stays as it is, or
// until all others were dealt with: what cannot be done must not stand before what can.
func (r *round) done(ctx context.Context, c decision, m command.Meta, came command.Result, err error, agent string) error {
	if err != nil {
		if !refused(err) {
			return fmt.Errorf("command %s: %w", m.ID, err)
		}
		r.logger.DebugContext(ctx, "routing was refused", "command_id", m.ID, "subject", r.org+".conversation."+c.ConversationID, "code", fault.CodeOf(err))
	}
	if came.Replayed && agent != "" {
		s, _, err := r.conversations.State(ctx, r.org, c.ConversationID)
		if err != nil {
			return fmt.Errorf("state after command %s: %w", m.ID, err)
		}
		if s.AssigneeID != agent {
			agent = "" // it has moved on since
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || len(came.Events) == 0 {
		r.memory.tried[c.ConversationID], r.passed = c.Sequence, true
		return nil
	}
	r.memory.marks[c.ConversationID] = mark{Sequence: came.Position.Sequence, AgentID: agent, Time: r.clock()}
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

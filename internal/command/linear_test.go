package command_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

const (
	linearPairs  = 4 // of queues
	linearAgents = 3
)

// A pair of queues is two sets of agents. A command adds an agent to one of them or to both at once, or removes it; it
// happens, or is nothing new. A look is at one of them.
type task struct {
	id    string
	pair  int
	on    [2]bool
	look  bool
	add   bool
	agent int
}

// What came of a task: which sets it changed, or what was seen.
type answer struct {
	changed [2]bool
	members uint8
}

// sets is what linearizable commands do. A batch does not depend on what it adds nothing to, so that says nothing of it.
var sets = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, linearPairs)
		for _, o := range history {
			pair := o.Input.(task).pair
			parts[pair] = append(parts[pair], o)
		}
		return parts
	},
	Init: func() any { return [2]uint8{} },
	Step: func(before, input, output any) (bool, any) {
		s, in, out := before.([2]uint8), input.(task), output.(answer)
		bit := uint8(1) << in.agent
		both := in.on[0] && in.on[1]
		for i, on := range in.on {
			news := in.add != (s[i]&bit != 0)
			switch {
			case !on:
			case in.look && s[i] != out.members, out.changed[i] && !news, !in.look && !both && news && !out.changed[i]:
				return false, s
			case out.changed[i]:
				s[i] ^= bit
			}
		}
		return true, s
	},
}

// process is one of two that know nothing of each other.
type process struct {
	log    *eventlog.Log
	loop   *command.Loop
	queues *command.Handler[queue.State, queue.Command]
}

// counted is a log that counts the appends whose outcome nobody knows.
type counted struct {
	*eventlog.Log
	unknown *atomic.Int64
}

func (c counted) Append(ctx context.Context, writes ...eventlog.Write) ([]uint64, error) {
	sequences, err := c.Log.Append(ctx, writes...)
	if errors.Is(err, eventlog.ErrUnknownOutcome) {
		c.unknown.Add(1)
	}
	return sequences, err
}

// desk is two processes on one server, and what their callers saw.
type desk struct {
	server    *server.Server
	processes [2]process
	began     time.Time

	unknown  atomic.Int64 // appends
	untold   atomic.Int64 // answers of outcome_unknown to callers
	finished atomic.Int64 // tasks
	mu       sync.Mutex
	ops      []porcupine.Operation
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := testkit.NATS(t)
	d := &desk{server: s, began: time.Now()}
	for i := range d.processes {
		log, err := eventlog.Open(t.Context(), eventlog.Config{URL: s.ClientURL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
		loop := command.NewLoop(counted{log, &d.unknown}, command.Options{})
		d.processes[i] = process{log: log, loop: loop, queues: command.For(loop, command.Decider[queue.State, queue.Command]{
			Kind: events.KindQueue, Evolve: queue.Evolve, Decide: queue.Decide,
		})}
	}
	for pair := range linearPairs {
		for i := range 2 {
			if _, err := d.processes[0].queues.Handle(t.Context(), org, queueID(pair, i), command.Meta{}, queue.Create{Name: "q"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return d
}

func queueID(pair, i int) string { return fmt.Sprint("q", pair, "-", i) }

func agentID(agent int) string { return fmt.Sprint("a", agent) }

// breakConnections ends about half of the processes' connections.
func (d *desk) breakConnections(t *testing.T) {
	t.Helper()
	all, err := d.server.Connz(&server.ConnzOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	for _, c := range all.Conns {
		if rand.IntN(2) == 0 {
			_ = d.server.DisconnectClientByID(c.Cid) // it may be gone by itself
		}
	}
}

// insist gives a task to one process or the other until it is answered, always with the same command id.
func (d *desk) insist(ctx context.Context, in task) (seen answer, news int, err error) {
	for {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		if rand.IntN(3) == 0 {
			time.AfterFunc(200*time.Microsecond<<rand.IntN(8), cancel) // this caller does not wait
		}
		p := d.processes[rand.IntN(len(d.processes))]
		seen, news, err = p.run(bounded, in)
		late := bounded.Err() != nil
		cancel()
		if errors.Is(err, command.ErrUnknownOutcome) {
			d.untold.Add(1)
		}
		if err == nil || ctx.Err() != nil || !late && !errors.Is(err, command.ErrConflict) && fault.KindOf(err) != fault.Unavailable {
			return seen, news, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p process) run(ctx context.Context, in task) (seen answer, news int, err error) {
	change := queue.Command(queue.RemoveMember{AgentID: agentID(in.agent)})
	if in.add {
		change = queue.AddMember{AgentID: agentID(in.agent)}
	}
	meta := command.Meta{ID: in.id, Digest: in.id}
	first := 0
	if !in.on[0] {
		first = 1
	}
	var r command.Result
	switch {
	case in.look:
		s, _, err := p.queues.State(ctx, org, queueID(in.pair, first))
		for a := range linearAgents {
			for _, m := range s.Members {
				if m == agentID(a) {
					seen.members |= 1 << a
				}
			}
		}
		return seen, 0, err
	case in.on[0] && in.on[1]:
		r, err = p.loop.Atomic(ctx, meta, func(tx *command.Tx) error {
			for i := range 2 {
				if err := command.Stage(tx, p.queues, org, queueID(in.pair, i), change); err != nil {
					return err
				}
			}
			return nil
		})
	default:
		r, err = p.queues.Handle(ctx, org, queueID(in.pair, first), meta, change)
	}
	return seen, len(r.Events), err
}

// Commands on shared aggregates from two processes, while connections break, give a linearizable history; and however often
// a command was tried, it happened once.
func TestCommandsAreLinearizable(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const workers, each = 16, 40
	news := make([]map[string]int, workers) // of each command: how many events its caller was told of
	var running sync.WaitGroup
	for w := range workers {
		news[w] = map[string]int{}
		running.Go(func() {
			for n := range each {
				in := task{id: fmt.Sprint(w, "-", n), pair: rand.IntN(linearPairs), add: rand.IntN(2) == 0, agent: rand.IntN(linearAgents)}
				in.on[rand.IntN(2)] = true
				switch rand.IntN(4) {
				case 0:
					in.look = true
				case 1:
					in.on = [2]bool{true, true}
				}
				call := int64(time.Since(d.began))
				seen, told, err := d.insist(t.Context(), in)
				if err != nil {
					t.Errorf("%+v: %v", in, err)
					return
				}
				if !in.look {
					news[w][in.id] = told
				}
				d.mu.Lock()
				d.ops = append(d.ops, porcupine.Operation{ClientId: w, Input: in, Call: call, Output: seen, Return: int64(time.Since(d.began))})
				d.mu.Unlock()
				if d.finished.Add(1)%40 == 0 {
					d.breakConnections(t)
				}
			}
		})
	}
	running.Wait()
	changed := d.changed(t)
	for i, o := range d.ops {
		in, out := o.Input.(task), o.Output.(answer)
		out.changed = changed[in.id]
		d.ops[i].Output = out
		if told := news[o.ClientId][in.id]; !in.look && (told > 0) != (out.changed[0] || out.changed[1]) {
			t.Errorf("%+v: its caller was told of %d events, and it changed %v", in, told, out.changed)
		}
	}
	t.Logf("%d appends of unknown outcome, %d callers who were told so", d.unknown.Load(), d.untold.Load())
	if d.unknown.Load() == 0 || d.untold.Load() == 0 {
		t.Error("no outcome was ever unknown")
	}
	if got := porcupine.CheckOperationsTimeout(sets, d.ops, 5*time.Minute); got != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", got)
	}
}

// changed is which queues each command changed, by its events. A command has at most one in each.
func (d *desk) changed(t *testing.T) map[string][2]bool {
	t.Helper()
	out := map[string][2]bool{}
	for pair := range linearPairs {
		for i := range 2 {
			a := events.Aggregate{Org: org, Kind: events.KindQueue, ID: queueID(pair, i)}
			there, err := d.processes[0].log.Read(t.Context(), a, 0)
			for err != nil && t.Context().Err() == nil { // the last connections may not be back
				there, err = d.processes[0].log.Read(t.Context(), a, 0)
			}
			for n, r := range there {
				c := out[r.Command]
				if c[i] {
					t.Errorf("command %s happened twice to %s", r.Command, a)
				}
				if r.Revision != uint64(n)+1 {
					t.Errorf("event %d of %s has revision %d", n+1, a, r.Revision)
				}
				c[i] = true
				out[r.Command] = c
			}
		}
	}
	return out
}

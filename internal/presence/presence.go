// Package presence knows which agents are at their desk: those with an open stream, in any process.
//
// Each process says every few seconds, over core NATS, whose streams are open in it, and hears what the others say. Who
// opens a stream is connected at once. Who has had none anywhere for the grace is disconnected: so a reload of a page, a
// restart of a server or an agent whose network flaps changes nothing, and nobody changes more than once in a grace. Both
// are events of the agent, and whoever gives the command first has given it: the others find nothing new.
//
// It keeps nothing. After a restart it knows from the directory who was connected, and waits for the grace before it
// takes anybody for gone. While it cannot hear itself it takes nobody for gone.
package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	subject      = "svc.presence.open"
	defaultGrace = 30 * time.Second
	beats        = 6                // in a grace: some of them may be lost
	most         = 1000             // agents in one message
	patience     = 10 * time.Second // with a command
)

// Agents takes the commands.
type Agents interface {
	Handle(ctx context.Context, org, id string, m command.Meta, c agent.Command) (command.Result, error)
}

// Directory says who there is, and who is connected as the log has it.
type Directory interface {
	Wait(ctx context.Context) error
	Orgs() []directory.Org
	Agents(org string) []directory.Agent
}

// Deps is all that presence needs. What may be nil or zero says so.
type Deps struct {
	Conn      *nats.Conn
	Agents    Agents
	Directory Directory
	Logger    *slog.Logger  // nil: nothing is logged
	Grace     time.Duration // after an agent's last stream; zero: 30 s
}

// Presence is what this process knows. Make it with New and Run it.
type Presence struct {
	Deps
	process string
	first   chan struct{} // somebody's first stream was opened

	mu   sync.Mutex
	roll *roll
}

// New makes it. Streams may be opened before Run.
func New(d Deps) *Presence {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Grace == 0 {
		d.Grace = defaultGrace
	}
	return &Presence{Deps: d, process: events.NewID(), first: make(chan struct{}, 1), roll: newRoll(d.Grace, d.Grace/beats)}
}

// Opened says that a stream of the agent was opened here; closed has to be called once, when it ends.
func (p *Presence) Opened(org, id string) (closed func()) {
	n := name{org, id}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.roll.open(n) {
		run.Signal(p.first)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.roll.close(n, time.Now())
	}
}

// said is what a process tells: whose streams are open in it. The last part of it says so.
type said struct {
	Process string `json:"process"`
	Open    []name `json:"open"`
	Last    bool   `json:"last"`
}

// Run tells, hears and gives the commands, until ctx ends; then it returns nil.
func (p *Presence) Run(ctx context.Context) error {
	if p.Directory.Wait(ctx) != nil {
		return nil // ctx ended
	}
	hears := make(chan *nats.Msg, 256)
	sub, err := p.Conn.ChanSubscribe(subject, hears)
	if err != nil {
		return fmt.Errorf("subscribe to who is there: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	tick := time.NewTicker(p.Grace / beats)
	defer tick.Stop()
	p.tell(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.tell(ctx)
		case <-p.first:
			p.tell(ctx)
			p.settle(ctx)
		case m := <-hears:
			if p.hear(m) {
				p.settle(ctx)
			}
		}
	}
}

// tell says whose streams are open here.
func (p *Presence) tell(ctx context.Context) {
	p.mu.Lock()
	open := p.roll.present()
	p.mu.Unlock()
	for last := false; !last; {
		n := min(most, len(open))
		last = n == len(open)
		raw, err := json.Marshal(said{Process: p.process, Open: open[:n], Last: last})
		if err == nil {
			err = p.Conn.Publish(subject, raw)
		}
		if err != nil {
			p.Logger.WarnContext(ctx, "others were not told who is there", "error", err)
			return
		}
		open = open[n:]
	}
}

// hear notes what a process says, and tells whether it was all of our own.
func (p *Presence) hear(m *nats.Msg) bool {
	var s said
	if json.Unmarshal(m.Data, &s) != nil {
		return false // somebody else's message
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll.hear(s.Open, now)
	if s.Process != p.process || !s.Last {
		return false
	}
	p.roll.beaten(now)
	return true
}

// settle makes the log agree with who is there. What fails is tried again with the next beat.
func (p *Presence) settle(ctx context.Context) {
	for _, org := range p.Directory.Orgs() {
		now := time.Now()
		p.mu.Lock()
		came, left := p.roll.changes(p.Directory.Agents(org.ID), now)
		p.mu.Unlock()
		for _, n := range came {
			if !p.give(ctx, n, events.Actor{Type: events.ActorAgent, ID: n.ID}, agent.Connect{}) {
				return
			}
		}
		for _, n := range left {
			if !p.give(ctx, n, events.Actor{Type: events.ActorSystem}, agent.Disconnect{Reason: "no stream is open"}) {
				return
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll.forget(time.Now())
}

// give gives a command, and tells whether the next one is worth trying: not while the log is away, when it is more
// important that others hear from us.
func (p *Presence) give(ctx context.Context, n name, who events.Actor, c agent.Command) bool {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := p.Agents.Handle(bounded, n.Org, n.ID, command.Meta{Actor: who}, c)
	if err == nil {
		return true
	}
	if ctx.Err() == nil {
		p.Logger.WarnContext(ctx, "an agent's presence was not written", "org", n.Org, "agent_id", n.ID, "error", err)
	}
	return bounded.Err() == nil && fault.KindOf(err) != fault.Unavailable
}

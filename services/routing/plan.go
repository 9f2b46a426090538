package routing

import (
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/directory"
)

// desk is the directory's view of an org at one moment: who is there, and which queues take work.
type desk struct {
	Present  []string                   // agents who keep what they have: online or away
	Online   map[string]directory.Agent // agents who take work
	Queues   map[string][]string        // queues that take work → their members
	Archived []string
	Default  string // where a conversation in no queue goes; empty: there is no queue
}

func look(d Directory, org string) desk {
	v := desk{Present: []string{}, Online: map[string]directory.Agent{}, Queues: map[string][]string{}}
	for _, a := range d.Agents(org) {
		if a.Deactivated || a.Presence == events.PresenceOffline {
			continue
		}
		v.Present = append(v.Present, a.ID)
		if a.Presence == events.PresenceOnline {
			v.Online[a.ID] = a
		}
	}
	named := d.Settings(org).DefaultQueueID
	for _, q := range d.Queues(org) { // by id, and so the oldest first
		if q.Archived {
			v.Archived = append(v.Archived, q.ID)
			continue
		}
		v.Queues[q.ID] = q.Members
		if v.Default == "" || q.ID == named {
			v.Default = q.ID
		}
	}
	return v
}

// free sorts the queues that have members online: those with one who can be given work now, and those where only
// the burst cap stands in the way.
func (v desk) free(loads map[string]load, burst int) (free, held []string) {
	for id := range v.Queues {
		agent, later := choose(v.candidates(id, loads), burst)
		switch {
		case agent != "":
			free = append(free, id)
		case later:
			held = append(held, id)
		}
	}
	return free, held
}

func (v desk) candidates(queue string, loads map[string]load) []candidate {
	var out []candidate
	for _, m := range v.Queues[queue] {
		a, online := v.Online[m]
		if !online {
			continue
		}
		l := loads[m]
		out = append(out, candidate{
			AgentID: m, Capacity: a.Capacity, Open: l.Open, Recent: l.Recent, LastAssigned: l.LastAssigned,
		})
	}
	return out
}

// load is what an agent has.
type load struct {
	Open, Recent int
	LastAssigned time.Time
}

// work is an org's work as it stands, or the beginning of it.
type work struct {
	Held     []decision // conversations of agents who are not there
	Unplaced []decision // waiting conversations in no queue that takes work: the newest and the oldest
	Waiting  []decision // conversations that wait in queues with a free agent, in the order in which they are given out
	Loads    map[string]load
	Later    bool // conversations wait where only the burst cap stands in the way
	More     bool // there are more held or unplaced ones
}

// decision is one command that routing will give. Version names it: the revision of the event that calls for it.
type decision struct {
	ConversationID string
	Version        uint64
	Sequence       uint64 // up to where the item was folded that calls for it
	QueueID        string // where it is
	AgentID        string // who has it, or gets it
}

// assign gives waiting conversations out, in their order, and leaves out those that nobody can take. It depends on
// its arguments alone.
func assign(v desk, w work, burst int) []decision {
	loads := make(map[string]load, len(v.Online))
	var now time.Time // later than every assignment so far
	for id, l := range w.Loads {
		loads[id] = l
		if l.LastAssigned.After(now) {
			now = l.LastAssigned
		}
	}
	var out []decision
	for _, d := range w.Waiting {
		agent, _ := choose(v.candidates(d.QueueID, loads), burst)
		if agent == "" {
			continue
		}
		d.AgentID = agent
		out = append(out, d)
		now = now.Add(1)
		l := loads[agent]
		loads[agent] = load{Open: l.Open + 1, Recent: l.Recent + 1, LastAssigned: now}
	}
	return out
}

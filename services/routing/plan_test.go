package routing

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-desk/tidemark/internal/directory"
)

func online(capacities map[string]int) map[string]directory.Agent {
	out := map[string]directory.Agent{}
	for id, c := range capacities {
		out[id] = directory.Agent{ID: id, Capacity: c}
	}
	return out
}

func TestAssign(t *testing.T) {
	t.Parallel()
	wait := func(queue string, ids ...string) []decision {
		var out []decision
		for _, id := range ids {
			out = append(out, decision{ConversationID: id, QueueID: queue, Version: 2})
		}
		return out
	}
	for _, tc := range []struct {
		Name  string
		Desk  desk
		Work  work
		Burst int
		Then  []string // conversation>agent
	}{
		{
			Name: "nobody is there",
			Desk: desk{Queues: map[string][]string{"q": {"ann"}}},
			Work: work{Waiting: wait("q", "c1")}, Burst: 5,
		},
		{
			Name: "shared out evenly, first come first served",
			Desk: desk{Queues: map[string][]string{"q": {"ann", "bob"}}, Online: online(map[string]int{"ann": 2, "bob": 2})},
			Work: work{Waiting: wait("q", "c1", "c2", "c3", "c4", "c5")}, Burst: 5,
			Then: []string{"c1>ann", "c2>bob", "c3>ann", "c4>bob"},
		},
		{
			Name: "what an agent already has counts",
			Desk: desk{Queues: map[string][]string{"q": {"ann", "bob"}}, Online: online(map[string]int{"ann": 2, "bob": 2})},
			Work: work{Waiting: wait("q", "c1", "c2"), Loads: map[string]load{"ann": {Open: 2}}}, Burst: 5,
			Then: []string{"c1>bob", "c2>bob"},
		},
		{
			Name: "only members of the queue",
			Desk: desk{Queues: map[string][]string{"q": {"bob"}}, Online: online(map[string]int{"ann": 9, "bob": 1})},
			Work: work{Waiting: wait("q", "c1", "c2")}, Burst: 5,
			Then: []string{"c1>bob"},
		},
		{
			Name: "an agent of two queues is one agent",
			Desk: desk{Queues: map[string][]string{"q": {"ann"}, "r": {"ann"}}, Online: online(map[string]int{"ann": 2})},
			Work: work{Waiting: slices.Concat(wait("q", "c1"), wait("r", "d1"), wait("q", "c2"))}, Burst: 5,
			Then: []string{"c1>ann", "d1>ann"},
		},
		{
			Name: "a full queue does not stop another",
			Desk: desk{Queues: map[string][]string{"q": {"ann"}, "r": {"bob"}}, Online: online(map[string]int{"ann": 1, "bob": 1})},
			Work: work{Waiting: slices.Concat(wait("q", "c1", "c2", "c3"), wait("r", "d1"))}, Burst: 5,
			Then: []string{"c1>ann", "d1>bob"},
		},
		{
			Name: "the burst cap holds the rest back",
			Desk: desk{Queues: map[string][]string{"q": {"ann"}}, Online: online(map[string]int{"ann": 50})},
			Work: work{Waiting: wait("q", "c1", "c2", "c3"), Loads: map[string]load{"ann": {Open: 1, Recent: 1}}}, Burst: 2,
			Then: []string{"c1>ann"},
		},
	} {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range assign(tc.Desk, tc.Work, tc.Burst) {
				got = append(got, d.ConversationID+">"+d.AgentID)
			}
			if !slices.Equal(got, tc.Then) {
				t.Fatalf("assigned %v, want %v", got, tc.Then)
			}
		})
	}
}

// However the desk looks: nobody gets more than he can hold or than the burst cap allows, nobody outside the queue
// or away gets anything, and nothing waits for which somebody is free.
func TestAssignKeepsEveryBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		agents := []string{"ann", "bob", "cyd", "dan"}
		v := desk{Queues: map[string][]string{}, Online: map[string]directory.Agent{}}
		w := work{Loads: map[string]load{}}
		for _, a := range agents {
			if rapid.Bool().Draw(t, a+" is online") {
				v.Online[a] = directory.Agent{ID: a, Capacity: rapid.IntRange(0, 5).Draw(t, a+" holds at most")}
			}
			w.Loads[a] = load{
				Open: rapid.IntRange(0, 6).Draw(t, a+" holds"), Recent: rapid.IntRange(0, 3).Draw(t, a+" was given"),
			}
		}
		for _, q := range []string{"q", "r"} {
			v.Queues[q] = rapid.SliceOfDistinct(rapid.SampledFrom(agents), rapid.ID[string]).Draw(t, "members of "+q)
		}
		for i := range rapid.IntRange(0, 20).Draw(t, "waiting") {
			w.Waiting = append(w.Waiting, decision{
				ConversationID: fmt.Sprint("c", i), QueueID: rapid.SampledFrom([]string{"q", "r"}).Draw(t, "queue"),
			})
		}
		burst := rapid.IntRange(1, 4).Draw(t, "burst")

		given := map[string]int{}
		waits := map[string]string{}
		for _, d := range w.Waiting {
			waits[d.ConversationID] = d.QueueID
		}
		for _, d := range assign(v, w, burst) {
			if waits[d.ConversationID] != d.QueueID {
				t.Fatalf("%+v was given twice, or does not wait", d)
			}
			delete(waits, d.ConversationID)
			if _, there := v.Online[d.AgentID]; !there || !slices.Contains(v.Queues[d.QueueID], d.AgentID) {
				t.Fatalf("%+v went to somebody who takes no work there", d)
			}
			given[d.AgentID]++
		}
		free := func(a string) bool {
			l := w.Loads[a]
			return l.Open+given[a] < v.Online[a].Capacity && l.Recent+given[a] < burst
		}
		for a, n := range given {
			if l := w.Loads[a]; l.Open+n > v.Online[a].Capacity || l.Recent+n > burst {
				t.Fatalf("%s was given %d on top of %+v", a, n, l)
			}
		}
		for id, q := range waits {
			if i := slices.IndexFunc(v.Queues[q], free); i >= 0 {
				t.Fatalf("%s waits although %s is free", id, v.Queues[q][i])
			}
		}
	})
}

func TestLook(t *testing.T) {
	t.Parallel()
	d := fakeDirectory{
		agents: []directory.Agent{
			{ID: "ann", Presence: "online"},
			{ID: "bob", Presence: "away"},
			{ID: "cyd", Presence: "offline"},
			{ID: "dan", Presence: "online", Deactivated: true},
		},
		queues: []directory.Queue{{ID: "q1", Archived: true}, {ID: "q2", Members: []string{"ann"}}, {ID: "q3"}},
	}
	v := look(d, "org")
	if !slices.Equal(v.Present, []string{"ann", "bob"}) || len(v.Online) != 1 || v.Online["ann"].ID != "ann" {
		t.Errorf("present %v, online %v", v.Present, v.Online)
	}
	if v.Default != "q2" || !slices.Equal(v.Archived, []string{"q1"}) {
		t.Errorf("default %q, archived %v; want the first queue that takes work", v.Default, v.Archived)
	}
	for named, want := range map[string]string{"q3": "q3", "q1": "q2", "gone": "q2"} {
		d.settings.DefaultQueueID = named
		if v := look(d, "org"); v.Default != want {
			t.Errorf("default queue %q became %q, want %q", named, v.Default, want)
		}
	}
}

type fakeDirectory struct {
	Directory
	agents   []directory.Agent
	queues   []directory.Queue
	settings directory.Settings
}

func (f fakeDirectory) Agents(string) []directory.Agent    { return f.agents }
func (f fakeDirectory) Queues(string) []directory.Queue    { return f.queues }
func (f fakeDirectory) Settings(string) directory.Settings { return f.settings }

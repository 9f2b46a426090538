package directory

import (
	"cmp"
	"slices"

	"github.com/tidemark-desk/tidemark/events"
)

const defaultTimezone = "UTC"

// Org is one tenant.
type Org struct {
	ID, Name string
	secret   []byte
}

// Settings of an org.
type Settings struct {
	DefaultQueueID string // empty: none
	Timezone       string // IANA name; "UTC" when never set
	Unusable       bool   // this version does not understand a later setting
}

// Agent is a person who works at the desk.
type Agent struct {
	OrgID, ID, Name, Email string
	Role                   events.Role
	Capacity               int
	Skills                 []string
	Presence               events.Presence
	Connected              bool // is at their desk: one of their streams is open, or was a moment ago
	Deactivated            bool
}

// Key is an API key that works: neither it nor its agent was ended.
type Key struct {
	OrgID, ID, AgentID, Name string
	Role                     events.Role // the lesser of the key's and its agent's
}

// Queue is where conversations wait.
type Queue struct {
	OrgID, ID, Name string
	Members         []string // ids of agents, sorted; deactivated agents may still be among them
	Archived        bool
}

// Channel is a way for customers to reach the desk.
type Channel struct {
	OrgID, ID, Name string
	Type            events.Channel
	SiteKey         string
	Origins         []string // that may open chat sessions; none: any
	Disabled        bool

	IdentityVersion  int                     // of the secret that proves who visitors are; 0: there is none
	IdentityRequired bool                    // whether anonymous visitors are refused
	SessionEpoch     int                     // how often all sessions were revoked; those of a lower one have ended
	Survey           events.ChannelSurveySet // in force now
	Surveys          []SurveyVersion         // every setting it ever had, oldest first: see SurveyAt
	Chat             Chat                    // of a chat channel
}

// Rule is an automation.
type Rule struct {
	OrgID, ID, Name       string
	events.RuleDefinition // in force now
	Disabled              bool
	Versions              []RuleVersion // every state it ever had, oldest first: see At
}

// none is the view of an org that is not there.
var none = &view{settings: Settings{Timezone: defaultTimezone}}

func (d *Directory) view(org string) *view {
	found, _ := d.views.orgs.Load(org)
	if v, ok := found.(*view); ok {
		return v
	}
	return none
}

// Orgs lists every org by id.
func (d *Directory) Orgs() []Org {
	var out []Org
	d.views.orgs.Range(func(_, found any) bool {
		if v, ok := found.(*view); ok && v.org != nil {
			out = append(out, *v.org)
		}
		return true
	})
	slices.SortFunc(out, func(a, b Org) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Org is one org.
func (d *Directory) Org(id string) (Org, bool) {
	if v := d.view(id); v.org != nil {
		return *v.org, true
	}
	return Org{}, false
}

// Settings of an org; the defaults when none were set.
func (d *Directory) Settings(org string) Settings { return d.view(org).settings }

// Key finds a key that works by the SHA-256 of the whole key.
func (d *Directory) Key(hash [32]byte) (Key, bool) {
	found, _ := d.views.keys.Load(hash)
	k, ok := found.(Key)
	return k, ok
}

// Keys lists the keys of an org that work, by id.
func (d *Directory) Keys(org string) []Key {
	v := d.view(org)
	out := make([]Key, 0, len(v.keys))
	for _, k := range v.keys {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b Key) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Agent is one agent, deactivated ones too.
func (d *Directory) Agent(org, id string) (Agent, bool) { return d.view(org).agents.get(id) }

// Agents lists the agents of an org by id, deactivated ones too.
func (d *Directory) Agents(org string) []Agent { return d.view(org).agents.all }

// Queue is one queue, archived ones too.
func (d *Directory) Queue(org, id string) (Queue, bool) { return d.view(org).queues.get(id) }

// Queues lists the queues of an org by id, archived ones too.
func (d *Directory) Queues(org string) []Queue { return d.view(org).queues.all }

// Channel is one channel, disabled ones too.
func (d *Directory) Channel(org, id string) (Channel, bool) { return d.view(org).channels.get(id) }

// Channels lists the channels of an org by id, disabled ones too.
func (d *Directory) Channels(org string) []Channel { return d.view(org).channels.all }

// ChannelBySiteKey finds the channel that a chat widget names, disabled ones too.
func (d *Directory) ChannelBySiteKey(key string) (Channel, bool) {
	found, _ := d.views.sites.Load(key)
	ref, ok := found.(siteRef)
	if !ok {
		return Channel{}, false
	}
	return d.Channel(ref.org, ref.id)
}

// Rules lists the rules of an org by id, disabled ones too.
func (d *Directory) Rules(org string) []Rule { return d.view(org).rules.all }

// Unusable lists what was left out because this version does not understand it.
func (d *Directory) Unusable() []events.Aggregate {
	var out []events.Aggregate
	d.views.orgs.Range(func(_, found any) bool {
		if v, ok := found.(*view); ok {
			out = append(out, v.unusable...)
		}
		return true
	})
	slices.SortFunc(out, func(a, b events.Aggregate) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

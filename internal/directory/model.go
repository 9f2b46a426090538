package directory

import (
	"slices"

	"github.com/tidemark-desk/tidemark/events"
)

// model is the fold of every config aggregate. One goroutine changes it; readers see the views made from it. Slices
// in it are replaced, never changed, because views share them.
type model struct{ orgs map[string]*orgModel }

type orgModel struct {
	org      *Org // nil until it was created
	settings Settings
	agents   map[string]*Agent
	keys     map[string]*keyModel
	queues   map[string]*Queue
	channels map[string]*Channel
	rules    map[string]*Rule
	unusable map[events.Aggregate]bool
}

type keyModel struct {
	Key
	hash    [32]byte
	revoked bool
}

func newModel() *model { return &model{orgs: map[string]*orgModel{}} }

func (m *model) org(id string) *orgModel {
	o := m.orgs[id]
	if o == nil {
		o = &orgModel{
			settings: Settings{Timezone: defaultTimezone},
			agents:   map[string]*Agent{}, keys: map[string]*keyModel{}, queues: map[string]*Queue{},
			channels: map[string]*Channel{}, rules: map[string]*Rule{}, unusable: map[events.Aggregate]bool{},
		}
		m.orgs[id] = o
	}
	return o
}

func (m *model) apply(r events.Recorded) {
	o, id := m.org(r.Org), r.Aggregate.ID
	switch r.Kind {
	case events.KindOrg, events.KindSettings:
		o.applyOrg(r.Org, r.Event)
	case events.KindAgent:
		o.applyAgent(r.Org, id, r.Event)
	case events.KindKey:
		o.applyKey(r.Org, id, r.Event)
	case events.KindQueue:
		o.applyQueue(r.Org, id, r.Event)
	case events.KindChannel:
		o.applyChannel(r)
	case events.KindRule:
		o.applyRule(r)
	default: // not configuration
	}
}

func (o *orgModel) applyOrg(org string, e events.Event) {
	switch e := e.(type) {
	case events.OrgCreated:
		o.org = &Org{ID: org, Name: e.Name, secret: e.Secret}
	case events.OrgRenamed:
		if o.org != nil {
			o.org.Name = e.Name
		}
	case events.SettingsDefaultQueueSet:
		o.settings.DefaultQueueID = e.QueueID
	case events.SettingsTimezoneSet:
		o.settings.Timezone = e.Timezone
	}
}

// entry finds or makes the fold of one aggregate.
func entry[T any](all map[string]*T, id string, first T) *T {
	e := all[id]
	if e == nil {
		e = &first
		all[id] = e
	}
	return e
}

func (o *orgModel) applyAgent(org, id string, e events.Event) {
	a := entry(o.agents, id, Agent{OrgID: org, ID: id, Presence: events.PresenceOffline})
	switch e := e.(type) {
	case events.AgentCreated:
		a.Name, a.Email, a.Role, a.Capacity = e.Name, e.Email, e.Role, e.Capacity
	case events.AgentRenamed:
		a.Name = e.Name
	case events.AgentRoleSet:
		a.Role = e.Role
	case events.AgentCapacitySet:
		a.Capacity = e.Capacity
	case events.AgentSkillsSet:
		a.Skills = e.Skills
	case events.AgentPresenceSet:
		a.Presence = e.Presence
	case events.AgentConnected:
		a.Presence, a.Connected = e.Presence, true
	case events.AgentDisconnected:
		a.Presence, a.Connected = events.PresenceOffline, false
	case events.AgentDeactivated:
		a.Deactivated, a.Presence, a.Connected = true, events.PresenceOffline, false
	}
}

func (o *orgModel) applyKey(org, id string, e events.Event) {
	switch e := e.(type) {
	case events.KeyIssued:
		k := &keyModel{Key: Key{OrgID: org, ID: id, AgentID: e.AgentID, Name: e.Name, Role: e.Role}}
		if len(e.Hash) != len(k.hash) {
			k.revoked = true // no key has such a hash
		}
		copy(k.hash[:], e.Hash)
		o.keys[id] = k
	case events.KeyRevoked:
		if k := o.keys[id]; k != nil {
			k.revoked = true
		}
	}
}

func (o *orgModel) applyQueue(org, id string, e events.Event) {
	q := entry(o.queues, id, Queue{OrgID: org, ID: id})
	switch e := e.(type) {
	case events.QueueCreated:
		q.Name = e.Name
	case events.QueueRenamed:
		q.Name = e.Name
	case events.QueueMemberAdded:
		if at, there := slices.BinarySearch(q.Members, e.AgentID); !there {
			q.Members = slices.Insert(slices.Clone(q.Members), at, e.AgentID)
		}
	case events.QueueMemberRemoved:
		if at, there := slices.BinarySearch(q.Members, e.AgentID); there {
			q.Members = slices.Delete(slices.Clone(q.Members), at, at+1)
		}
	case events.QueueArchived:
		q.Archived = true
	}
}

func (o *orgModel) applyChannel(r events.Recorded) {
	c := entry(o.channels, r.Aggregate.ID, Channel{OrgID: r.Org, ID: r.Aggregate.ID})
	c.Chat = c.Chat.evolve(r.Event)
	switch e := r.Event.(type) {
	case events.ChannelCreated:
		c.Type, c.Name, c.SiteKey = e.Type, e.Name, e.SiteKey
	case events.ChannelRenamed:
		c.Name = e.Name
	case events.ChannelOriginsSet:
		c.Origins = e.Origins
	case events.ChannelSurveySet:
		c.Survey = e
		c.Surveys = append(slices.Clip(c.Surveys), SurveyVersion{From: r.Sequence, ChannelSurveySet: e})
	case events.ChannelDisabled:
		c.Disabled = true
	case events.ChannelEnabled:
		c.Disabled = false
	case events.ChannelIdentitySecretRotated:
		c.IdentityVersion = e.Version
	case events.ChannelSessionsRevoked:
		c.SessionEpoch = e.Epoch
	case events.ChannelIdentityRequired:
		c.IdentityRequired = true
	case events.ChannelAnonymousAllowed:
		c.IdentityRequired = false
	}
}

func (o *orgModel) applyRule(recorded events.Recorded) {
	r := entry(o.rules, recorded.Aggregate.ID, Rule{OrgID: recorded.Org, ID: recorded.Aggregate.ID})
	if e, ok := recorded.Event.(events.RuleCreated); ok {
		r.Name = e.Name
	}
	r.Versions = evolveVersions(r.Versions, recorded)
	if n := len(r.Versions); n > 0 {
		r.RuleDefinition, r.Disabled = r.Versions[n-1].RuleDefinition, r.Versions[n-1].Disabled
	}
}

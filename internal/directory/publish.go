package directory

import (
	"maps"
	"slices"
	"sync"

	"github.com/tidemark-desk/tidemark/events"
)

// views is what readers see: a view for each org, replaced as a whole when anything in the org changes, and the two
// indexes that have no org yet when they are asked. A change costs the size of its org, not of all orgs.
type views struct {
	orgs  sync.Map // id → *view
	keys  sync.Map // [32]byte → Key
	sites sync.Map // site key → siteRef
}

// siteRef names a channel; the channel itself is looked up in its org's view.
type siteRef struct{ org, id string }

// view is one org at one moment. It never changes.
type view struct {
	org      *Org // nil: not there, or not understood
	settings Settings
	agents   list[Agent]
	queues   list[Queue]
	channels list[Channel]
	rules    list[Rule]
	keys     map[[32]byte]Key
	unusable []events.Aggregate
}

// list is the aggregates of a kind, sorted by id.
type list[T any] struct {
	all []T
	at  map[string]int
}

func (l list[T]) get(id string) (T, bool) {
	i, ok := l.at[id]
	if !ok {
		var none T
		return none, false
	}
	return l.all[i], true
}

func listOf[T any](all map[string]*T, usable func(id string) bool) list[T] {
	l := list[T]{all: make([]T, 0, len(all)), at: make(map[string]int, len(all))}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if usable(id) {
			l.at[id] = len(l.all)
			l.all = append(l.all, *all[id])
		}
	}
	return l
}

// publish shows an org as it stands in the model. Keys that no longer work are taken away before anything else.
func (d *Directory) publish(org string) {
	next := d.model.org(org).view(org)
	var before *view
	if v, ok := d.views.orgs.Load(org); ok {
		before, _ = v.(*view)
	}
	if before != nil {
		for hash := range before.keys {
			if _, still := next.keys[hash]; !still {
				d.views.keys.Delete(hash)
			}
		}
	}
	d.views.orgs.Store(org, next)
	for hash, key := range next.keys {
		d.views.keys.Store(hash, key)
	}
	for _, c := range next.channels.all {
		if c.SiteKey == "" {
			continue
		}
		ref, taken := d.views.sites.LoadOrStore(c.SiteKey, siteRef{org, c.ID})
		if taken && ref != (siteRef{org, c.ID}) {
			d.logger.Warn("two channels have one site key; the first keeps it", "org", org, "channel_id", c.ID)
		}
	}
}

func (o *orgModel) view(org string) *view {
	usable := func(kind events.Kind) func(id string) bool {
		return func(id string) bool { return !o.unusable[events.Aggregate{Org: org, Kind: kind, ID: id}] }
	}
	v := &view{
		settings: o.settings,
		agents:   listOf(o.agents, usable(events.KindAgent)),
		queues:   listOf(o.queues, usable(events.KindQueue)),
		channels: listOf(o.channels, usable(events.KindChannel)),
		rules:    listOf(o.rules, usable(events.KindRule)),
		keys:     map[[32]byte]Key{},
		unusable: slices.SortedFunc(maps.Keys(o.unusable), func(a, b events.Aggregate) int {
			if a.String() < b.String() {
				return -1
			}
			return 1
		}),
	}
	for _, a := range v.unusable {
		v.settings.Unusable = v.settings.Unusable || a.Kind == events.KindSettings
	}
	if o.org == nil || !usable(events.KindOrg)(org) {
		return v
	}
	org1 := *o.org
	v.org = &org1
	for id, k := range o.keys {
		agent, known := v.agents.get(k.AgentID)
		if !k.revoked && known && !agent.Deactivated && usable(events.KindKey)(id) {
			key := k.Key
			key.Role = lesser(k.Role, agent.Role)
			v.keys[k.hash] = key
		}
	}
	return v
}

// lesser: a key never may more than its agent.
func lesser(a, b events.Role) events.Role {
	if a == events.RoleAdmin && b == events.RoleAdmin {
		return events.RoleAdmin
	}
	return events.RoleAgent
}

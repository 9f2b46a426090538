// Package aggregates says, once for everybody who gives commands, how each kind of aggregate meets the command loop: what
// its kind is, how it folds and how it decides.
//
// It must hold no rule of any of them: those are in the packages of internal/domain, which do not know the loop.
package aggregates

import (
	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
	"github.com/tidemark-desk/tidemark/internal/domain/run"
	"github.com/tidemark-desk/tidemark/internal/domain/settings"
	"github.com/tidemark-desk/tidemark/internal/domain/visitor"
)

// Orgs handles orgs.
func Orgs(l *command.Loop) *command.Handler[org.State, org.Command] {
	return command.For(l, command.Decider[org.State, org.Command]{Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide})
}

// Settings handles the settings of orgs.
func Settings(l *command.Loop) *command.Handler[settings.State, settings.Command] {
	return command.For(l, command.Decider[settings.State, settings.Command]{Kind: events.KindSettings, Evolve: settings.Evolve, Decide: settings.Decide})
}

// Agents handles agents.
func Agents(l *command.Loop) *command.Handler[agent.State, agent.Command] {
	return command.For(l, command.Decider[agent.State, agent.Command]{Kind: events.KindAgent, Evolve: agent.Evolve, Decide: agent.Decide})
}

// Keys handles API keys.
func Keys(l *command.Loop) *command.Handler[key.State, key.Command] {
	return command.For(l, command.Decider[key.State, key.Command]{Kind: events.KindKey, Evolve: key.Evolve, Decide: key.Decide})
}

// Queues handles queues.
func Queues(l *command.Loop) *command.Handler[queue.State, queue.Command] {
	return command.For(l, command.Decider[queue.State, queue.Command]{Kind: events.KindQueue, Evolve: queue.Evolve, Decide: queue.Decide})
}

// Channels handles channels.
func Channels(l *command.Loop) *command.Handler[channel.State, channel.Command] {
	return command.For(l, command.Decider[channel.State, channel.Command]{Kind: events.KindChannel, Evolve: channel.Evolve, Decide: channel.Decide})
}

// Rules handles automation rules.
func Rules(l *command.Loop) *command.Handler[rule.State, rule.Command] {
	return command.For(l, command.Decider[rule.State, rule.Command]{Kind: events.KindRule, Evolve: rule.Evolve, Decide: rule.Decide})
}

// Customers handles customers.
func Customers(l *command.Loop) *command.Handler[customer.State, customer.Command] {
	return command.For(l, command.Decider[customer.State, customer.Command]{Kind: events.KindCustomer, Evolve: customer.Evolve, Decide: customer.Decide})
}

// Claims handles claims: what only one customer may have.
func Claims(l *command.Loop) *command.Handler[claim.State, claim.Command] {
	return command.For(l, command.Decider[claim.State, claim.Command]{Kind: events.KindClaim, Evolve: claim.Evolve, Decide: claim.Decide})
}

// Conversations handles conversations.
func Conversations(l *command.Loop) *command.Handler[conversation.State, conversation.Command] {
	return command.For(l, command.Decider[conversation.State, conversation.Command]{Kind: events.KindConversation, Evolve: conversation.Evolve, Decide: conversation.Decide})
}

// Runs handles the runs of automations.
func Runs(l *command.Loop) *command.Handler[run.State, run.Command] {
	return command.For(l, command.Decider[run.State, run.Command]{Kind: events.KindRun, Evolve: run.Evolve, Decide: run.Decide})
}

// Visitors handles the visitors of chat channels.
func Visitors(l *command.Loop) *command.Handler[visitor.State, visitor.Command] {
	return command.For(l, command.Decider[visitor.State, visitor.Command]{Kind: events.KindVisitor, Evolve: visitor.Evolve, Decide: visitor.Decide})
}

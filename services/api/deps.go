package api

import (
	"context"
	"time"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/agent"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/claim"
	"github.com/tidemark-desk/tidemark/internal/domain/conversation"
	"github.com/tidemark-desk/tidemark/internal/domain/customer"
	"github.com/tidemark-desk/tidemark/internal/domain/key"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/domain/queue"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
	"github.com/tidemark-desk/tidemark/internal/domain/settings"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/surveys"
	"github.com/tidemark-desk/tidemark/projections/timeline"
)

// Log is what the service needs of the event log besides writing to it.
type Log interface {
	Tail(ctx context.Context, f eventlog.Filter, after uint64, caughtUp func(), fn func(events.Recorded) error) error
	Past(ctx context.Context, r events.Recorded, after uint64) ([]events.Recorded, error)
	Position(a events.Aggregate, sequence uint64) events.Position
	Incarnation() string
	Head() uint64
}

// Directory is the configuration in memory: who asks, and what exists.
type Directory interface {
	Wait(ctx context.Context) error
	WaitFor(ctx context.Context, sequence uint64) error
	Org(id string) (directory.Org, bool)
	Key(hash [32]byte) (directory.Key, bool)
	Keys(org string) []directory.Key
	Agent(org, id string) (directory.Agent, bool)
	Agents(org string) []directory.Agent
	Queue(org, id string) (directory.Queue, bool)
	Queues(org string) []directory.Queue
	Channel(org, id string) (directory.Channel, bool)
	Channels(org string) []directory.Channel
	Rules(org string) []directory.Rule
	Settings(org string) directory.Settings
}

// Presence is told who is at their desk.
type Presence interface {
	Opened(org, agent string) (closed func())
}

// Intake takes first messages.
type Intake interface {
	Open(ctx context.Context, org string, m command.Meta, r intake.Request) (intake.Opened, error)
}

// Reads are the read models. Writes never touch them.
type Reads struct {
	Inbox     Inbox
	Timeline  Timeline
	Customers Customers
	Surveys   Surveys
	Search    Search
	Freshness Freshness
}

// Inbox lists conversations.
type Inbox interface {
	List(ctx context.Context, org string, q inbox.Query) (inbox.Page, error)
	Get(ctx context.Context, org, id string) (inbox.Conversation, error)
}

// Timeline has what was said and done.
type Timeline interface {
	Messages(ctx context.Context, org, conversationID string, q timeline.Query) (timeline.Page, error)
	Notes(ctx context.Context, org, conversationID string, q timeline.Query) (timeline.Page, error)
	ByCustomer(ctx context.Context, org, customerID string, q timeline.Query) (timeline.Page, error)
}

// Customers lists customers.
type Customers interface {
	List(ctx context.Context, org string, q customers.Query) (customers.Page, error)
	Get(ctx context.Context, org, id string) (customers.Customer, error)
}

// Surveys reports and lists what visitors said.
type Surveys interface {
	Satisfaction(ctx context.Context, org string, q surveys.Query) (surveys.Report, error)
	List(ctx context.Context, org string, q surveys.ListQuery) (surveys.Page, error)
}

// Search finds conversations by their words, and tells how the index is doing.
type Search interface {
	Search(ctx context.Context, r search.Request) (search.Answer, error)
	Status(ctx context.Context) (search.Status, error)
}

// Freshness tells how far read models are, and waits for them.
type Freshness interface {
	AsOf(ctx context.Context, name string) (projections.AsOf, error)
	Await(ctx context.Context, name string, p events.Position, longest time.Duration) error
	AwaitOf(ctx context.Context, name string, a events.Aggregate, p events.Position, longest time.Duration) error
}

// The names of the read models.
const (
	inboxModel     = "inbox"
	timelineModel  = "timeline"
	customersModel = "customers"
	surveysModel   = "surveys"
	surveyReactor  = "survey"

	searchIndex = "search" // the projection that keeps its own progress
)

// kinds are the handlers of the aggregates that the service changes.
type kinds struct {
	conversations *command.Handler[conversation.State, conversation.Command]
	customers     *command.Handler[customer.State, customer.Command]
	claims        *command.Handler[claim.State, claim.Command]
	queues        *command.Handler[queue.State, queue.Command]
	agents        *command.Handler[agent.State, agent.Command]
	keys          *command.Handler[key.State, key.Command]
	channels      *command.Handler[channel.State, channel.Command]
	rules         *command.Handler[rule.State, rule.Command]
	orgs          *command.Handler[org.State, org.Command]
	settings      *command.Handler[settings.State, settings.Command]
}

func newKinds(loop *command.Loop) *kinds {
	return &kinds{
		conversations: aggregates.Conversations(loop),
		customers:     aggregates.Customers(loop),
		claims:        aggregates.Claims(loop),
		queues:        aggregates.Queues(loop),
		agents:        aggregates.Agents(loop),
		keys:          aggregates.Keys(loop),
		channels:      aggregates.Channels(loop),
		rules:         aggregates.Rules(loop),
		orgs:          aggregates.Orgs(loop),
		settings:      aggregates.Settings(loop),
	}
}

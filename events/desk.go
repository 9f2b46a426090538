package events

func init() {
	register[QueueCreated]("A queue was made.")
	register[QueueRenamed]("The queue has another name.")
	register[QueueMemberAdded]("An agent now takes work from the queue.")
	register[QueueMemberRemoved]("The agent no longer takes work from the queue.")
	register[QueueArchived]("The queue takes no more conversations.")
	register[ChannelCreated]("A way for customers to reach the desk was set up.")
	register[ChannelRenamed]("The channel has another name.")
	register[ChannelOriginsSet]("The web origins that may open chat sessions on the channel, all of them; none means any.")
	register[ChannelDisabled]("The channel takes no new messages.")
	register[ChannelEnabled]("The channel takes messages again.")
	register[RuleCreated]("An automation was set up: when an event of a type comes and its text contains words, do steps.")
	register[RuleChanged]("The automation's trigger, condition or steps changed.")
	register[RuleDisabled]("The automation no longer runs.")
	register[RuleEnabled]("The automation runs again.")
}

// Channel is a way for messages to travel.
type Channel string

// The channels.
const (
	ChannelChat     Channel = "chat"
	ChannelEmail    Channel = "email"
	ChannelSMS      Channel = "sms"
	ChannelX        Channel = "x"
	ChannelFacebook Channel = "facebook"
)

// Channels lists every channel.
var Channels = []Channel{ChannelChat, ChannelEmail, ChannelSMS, ChannelX, ChannelFacebook}

// QueueCreated is the first event of a queue.
type QueueCreated struct {
	Name string `json:"name"`
}

// QueueRenamed gives the queue another name.
type QueueRenamed struct {
	Name string `json:"name"`
}

// QueueMemberAdded lets an agent take work from the queue.
type QueueMemberAdded struct {
	AgentID string `json:"agent_id"`
}

// QueueMemberRemoved stops an agent from taking work from the queue.
type QueueMemberRemoved struct {
	AgentID string `json:"agent_id"`
	Reason  string `json:"reason"`
}

// QueueArchived closes the queue to new work.
type QueueArchived struct {
	Reason string `json:"reason"`
}

// ChannelCreated is the first event of a channel. SiteKey is the public name by which a chat widget finds it.
type ChannelCreated struct {
	Type    Channel `json:"type"`
	Name    string  `json:"name"`
	SiteKey string  `json:"site_key,omitempty"`
}

// ChannelRenamed gives the channel another name.
type ChannelRenamed struct {
	Name string `json:"name"`
}

// ChannelOriginsSet replaces the web origins that may open chat sessions.
type ChannelOriginsSet struct {
	Origins []string `json:"origins"`
}

// ChannelDisabled stops the channel.
type ChannelDisabled struct {
	Reason string `json:"reason"`
}

// ChannelEnabled starts the channel again.
type ChannelEnabled struct {
	Reason string `json:"reason"`
}

// RuleStep is one thing that an automation does; exactly one field is set.
type RuleStep struct {
	Tag   string `json:"tag,omitempty"`   // put this tag on the conversation
	Reply string `json:"reply,omitempty"` // write this message to the customer
}

// RuleDefinition is when an automation runs and what it does.
type RuleDefinition struct {
	On       string     `json:"on"`                 // type of event without its version: "conversation.message_received"
	Contains string     `json:"contains,omitempty"` // words that its text must contain, in any case; empty: any
	Steps    []RuleStep `json:"steps"`
}

// RuleCreated is the first event of an automation.
type RuleCreated struct {
	Name string `json:"name"`
	RuleDefinition
}

// RuleChanged replaces the automation's definition.
type RuleChanged struct {
	RuleDefinition
}

// RuleDisabled stops the automation.
type RuleDisabled struct {
	Reason string `json:"reason"`
}

// RuleEnabled starts the automation again.
type RuleEnabled struct {
	Reason string `json:"reason"`
}

// EventType is on disk.
func (QueueCreated) EventType() string { return "queue.created.v1" }

// EventType is on disk.
func (QueueRenamed) EventType() string { return "queue.renamed.v1" }

// EventType is on disk.
func (QueueMemberAdded) EventType() string { return "queue.member_added.v1" }

// EventType is on disk.
func (QueueMemberRemoved) EventType() string { return "queue.member_removed.v1" }

// EventType is on disk.
func (QueueArchived) EventType() string { return "queue.archived.v1" }

// EventType is on disk.
func (ChannelCreated) EventType() string { return "channel.created.v1" }

// EventType is on disk.
func (ChannelRenamed) EventType() string { return "channel.renamed.v1" }

// EventType is on disk.
func (ChannelOriginsSet) EventType() string { return "channel.origins_set.v1" }

// EventType is on disk.
func (ChannelDisabled) EventType() string { return "channel.disabled.v1" }

// EventType is on disk.
func (ChannelEnabled) EventType() string { return "channel.enabled.v1" }

// EventType is on disk.
func (RuleCreated) EventType() string { return "rule.created.v1" }

// EventType is on disk.
func (RuleChanged) EventType() string { return "rule.changed.v1" }

// EventType is on disk.
func (RuleDisabled) EventType() string { return "rule.disabled.v1" }

// EventType is on disk.
func (RuleEnabled) EventType() string { return "rule.enabled.v1" }

package events

func init() {
	register[AgentCreated]("A person who works at the desk was added.")
	register[AgentRenamed]("The agent has another name.")
	register[AgentRoleSet]("The agent's role changed.")
	register[AgentCapacitySet]("How many open conversations the agent may hold at once.")
	register[AgentSkillsSet]("The agent's skills, all of them.")
	register[AgentPresenceSet]("The agent became online, away or offline.")
	register[AgentConnected]("The first of the agent's streams was opened: they are at their desk.")
	register[AgentDisconnected]("None of the agent's streams has been open for a while: they left their desk.")
	register[AgentDeactivated]("The agent no longer works at the desk; keys stop working.")
	register[KeyIssued]("An API key was issued to an agent. Only a hash of it is kept.")
	register[KeyRevoked]("The API key no longer works.")
}

// Role is what an agent or a key may do.
type Role string

// The roles.
const (
	RoleAdmin Role = "admin"
	RoleAgent Role = "agent"
)

// Presence is whether an agent takes work.
type Presence string

// The presences.
const (
	PresenceOnline  Presence = "online"
	PresenceAway    Presence = "away"
	PresenceOffline Presence = "offline"
)

// AgentCreated is the first event of an agent, who starts offline with a capacity.
type AgentCreated struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Role     Role   `json:"role"`
	Capacity int    `json:"capacity"`
}

// AgentRenamed gives the agent another name.
type AgentRenamed struct {
	Name string `json:"name"`
}

// AgentRoleSet changes what the agent may do.
type AgentRoleSet struct {
	Role Role `json:"role"`
}

// AgentCapacitySet changes how many open conversations the agent may hold.
type AgentCapacitySet struct {
	Capacity int `json:"capacity"`
}

// AgentSkillsSet replaces the agent's skills.
type AgentSkillsSet struct {
	Skills []string `json:"skills"`
}

// AgentPresenceSet changes whether the agent takes work.
type AgentPresenceSet struct {
	Presence Presence `json:"presence"`
	Reason   string   `json:"reason"`
}

// AgentConnected says that the agent is at their desk. Presence is what they are from now on: what they said last, online
// when they never said anything.
type AgentConnected struct {
	Presence Presence `json:"presence"`
}

// AgentDisconnected says that the agent is not at their desk any more. They are offline until they come back, or say
// otherwise.
type AgentDisconnected struct {
	Reason string `json:"reason"`
}

// AgentDeactivated ends the agent's work at the desk.
type AgentDeactivated struct {
	Reason string `json:"reason"`
}

// KeyIssued is the first event of an API key. Hash is the SHA-256 of the whole key.
type KeyIssued struct {
	AgentID string `json:"agent_id"`
	Name    string `json:"name"`
	Role    Role   `json:"role"`
	Hash    []byte `json:"hash"`
}

// KeyRevoked ends the key.
type KeyRevoked struct {
	Reason string `json:"reason"`
}

// EventType is on disk.
func (AgentCreated) EventType() string { return "agent.created.v1" }

// EventType is on disk.
func (AgentRenamed) EventType() string { return "agent.renamed.v1" }

// EventType is on disk.
func (AgentRoleSet) EventType() string { return "agent.role_set.v1" }

// EventType is on disk.
func (AgentCapacitySet) EventType() string { return "agent.capacity_set.v1" }

// EventType is on disk.
func (AgentSkillsSet) EventType() string { return "agent.skills_set.v1" }

// EventType is on disk.
func (AgentPresenceSet) EventType() string { return "agent.presence_set.v1" }

// EventType is on disk.
func (AgentConnected) EventType() string { return "agent.connected.v1" }

// EventType is on disk.
func (AgentDisconnected) EventType() string { return "agent.disconnected.v1" }

// EventType is on disk.
func (AgentDeactivated) EventType() string { return "agent.deactivated.v1" }

// EventType is on disk.
func (KeyIssued) EventType() string { return "key.issued.v1" }

// EventType is on disk.
func (KeyRevoked) EventType() string { return "key.revoked.v1" }

package events

func init() {
	register[ChannelSessionsRevoked]("All chat sessions of the channel that were opened before have ended.")
	register[VisitorSessionsRevoked]("All chat sessions of the visitor that were opened before have ended.")
}

// ChannelSessionsRevoked ends the sessions of everybody at a channel: of a lower epoch than this.
type ChannelSessionsRevoked struct {
	Epoch  int    `json:"epoch"` // 1 for the first, and one more each time
	Reason string `json:"reason"`
}

// VisitorSessionsRevoked ends the sessions of one visitor, wherever they are open: of a lower epoch than this. A visitor is
// who a session is of, before they are a customer too; it needs none to be told.
type VisitorSessionsRevoked struct {
	Epoch  int    `json:"epoch"` // 1 for the first, and one more each time
	Reason string `json:"reason"`
}

// EventType is on disk.
func (ChannelSessionsRevoked) EventType() string { return "channel.sessions_revoked.v1" }

// EventType is on disk.
func (VisitorSessionsRevoked) EventType() string { return "visitor.sessions_revoked.v1" }

package events

func init() {
	register[ChannelIdentitySecretRotated]("The channel has a new secret with which its site proves who a visitor is; the one before holds as well.")
	register[ChannelIdentityRequired]("The channel takes only visitors whose site has proven who they are.")
	register[ChannelAnonymousAllowed]("The channel takes visitors again whose site has proven nothing.")
}

// ChannelIdentitySecretRotated makes a new identity secret. The secret is not here: it follows from the org's secret, the
// channel's id and the version. The secret of the version before holds until the next rotation.
type ChannelIdentitySecretRotated struct {
	Version int    `json:"version"` // 1 for the first, and one more each time
	Reason  string `json:"reason"`
}

// ChannelIdentityRequired refuses anonymous visitors.
type ChannelIdentityRequired struct {
	Reason string `json:"reason"`
}

// ChannelAnonymousAllowed takes anonymous visitors again.
type ChannelAnonymousAllowed struct {
	Reason string `json:"reason"`
}

// EventType is on disk.
func (ChannelIdentitySecretRotated) EventType() string { return "channel.identity_secret_rotated.v1" }

// EventType is on disk.
func (ChannelIdentityRequired) EventType() string { return "channel.identity_required.v1" }

// EventType is on disk.
func (ChannelAnonymousAllowed) EventType() string { return "channel.anonymous_allowed.v1" }

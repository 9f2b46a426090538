package events

func init() {
	register[OrgCreated]("An org, the unit of tenancy, was made. Its secret is the root of its derived keys.")
	register[OrgRenamed]("The org has another name.")
	register[SettingsDefaultQueueSet]("Conversations that no rule places go to this queue.")
	register[SettingsTimezoneSet]("Business hours and reports of the org are reckoned in this time zone.")
}

// OrgCreated is the first event of an org.
type OrgCreated struct {
	Name   string `json:"name"`
	Secret []byte `json:"secret"` // 32 random bytes; keys for a purpose are derived from it
}

// OrgRenamed gives the org another name.
type OrgRenamed struct {
	Name string `json:"name"`
}

// SettingsDefaultQueueSet names the queue for conversations that nothing else places.
type SettingsDefaultQueueSet struct {
	QueueID string `json:"queue_id"`
}

// SettingsTimezoneSet names the org's time zone, as in the IANA database.
type SettingsTimezoneSet struct {
	Timezone string `json:"timezone"`
}

// EventType is on disk.
func (OrgCreated) EventType() string { return "org.created.v1" }

// EventType is on disk.
func (OrgRenamed) EventType() string { return "org.renamed.v1" }

// EventType is on disk.
func (SettingsDefaultQueueSet) EventType() string { return "settings.default_queue_set.v1" }

// EventType is on disk.
func (SettingsTimezoneSet) EventType() string { return "settings.timezone_set.v1" }

// Package eventlog is the log: one JetStream stream that holds every event, and the only place where truth is written.
//
// What it promises: when Append returns nil, the events are fsynced (embedded, and R1 with sync_interval always) or on a
// majority of replicas, they follow the expected last event of each of their subjects, and all events of one Append are
// there together or not at all. ErrConflict says that nothing was written. ErrUnknownOutcome says that nobody can know:
// the caller loads the subject again and looks for its own command id. Any other error says that nothing was written.
//
// Read, Block and Tail give events in stream order, never twice and without a gap. Head only names events that Block and
// Tail can give. The package knows no domain: what an event means is for those who fold it.
package eventlog

// Package events is what can happen in Tidemark: every fact that the log holds, and how it is written there.
//
// It is one flat package: the envelope (CloudEvents 1.0 in message headers), the registry of types with
// their upcasters, subjects and positions, and one file of events per kind of aggregate. A type string such
// as "conversation.assigned.v1" is on disk for ever: it is explicit, never derived from a Go name, and
// testdata holds a frozen sample of every type and version.
//
// It must not import anything of Tidemark's, and it has no I/O.
package events

//go:generate go run ../internal/eventsdoc ../docs/events.md

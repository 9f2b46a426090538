package search

import (
	"context"
	"time"
)

// SubjectRebuild takes a RebuildRequest and gives back a RebuildStatus.
const SubjectRebuild = "svc.search.rebuild"

// What can be asked of a rebuild.
const (
	AskStatus   = "status"
	AskRebuild  = "rebuild"  // build a new index beside the one that serves
	AskPause    = "pause"    // rest until asked to go on
	AskResume   = "resume"   // go on; also after it failed
	AskThrottle = "throttle" // at most so many documents a second; 0: as many as live work leaves room for
	AskVerify   = "verify"   // compare the new index with the one that serves, and with the log
	AskSwitch   = "switch"   // have the new index serve, if it was verified
	AskRollback = "rollback" // have the previous index serve again
	AskDrop     = "drop"     // remove the previous index
	AskCancel   = "cancel"   // give the rebuild up, and remove what was built
)

// RebuildRequest is what an operator asks.
type RebuildRequest struct {
	Ask    string  `json:"ask"`
	Rate   float64 `json:"rate,omitempty"`   // of throttle, and of rebuild: documents a second
	Sample int     `json:"sample,omitempty"` // of verify: documents that are folded from the log again; zero: 200
	Switch bool    `json:"switch,omitempty"` // of rebuild: once it is built and verified, have it serve
}

// RebuildStatus is which indexes there are, and what becomes of them.
type RebuildStatus struct {
	Engine  string      `json:"engine"`
	Indexes []IndexInfo `json:"indexes"`
	// Due tells that the index which serves was made by a version that cuts or lays out documents otherwise.
	Due     bool             `json:"rebuild_due"`
	Rebuild *RebuildProgress `json:"rebuild"` // nil: none is under way
}

// RebuildState is how far a rebuild is.
type RebuildState string

// The states of a rebuild.
const (
	RebuildBuilding  RebuildState = "building"
	RebuildPaused    RebuildState = "paused"
	RebuildVerifying RebuildState = "verifying"
	RebuildBuilt     RebuildState = "built"    // and not verified
	RebuildVerified  RebuildState = "verified" // it may serve
	RebuildDiffers   RebuildState = "differs"  // verification found differences
	RebuildFailed    RebuildState = "failed"   // see Detail; resume goes on
)

// RebuildProgress is an index that is built beside the one that serves.
type RebuildProgress struct {
	ID        string       `json:"id"`
	Index     string       `json:"index"`
	State     RebuildState `json:"state"`
	Detail    string       `json:"detail,omitempty"`
	Done      uint64       `json:"done"`  // events of the log that were gone through, newest first, of Total
	Total     uint64       `json:"total"` // up to where the log was when it began
	Documents uint64       `json:"documents"`
	Bytes     uint64       `json:"bytes"` // of the new index
	Rate      float64      `json:"rate"`  // documents a second
	ETA       float64      `json:"eta_seconds"`
	Limit     float64      `json:"limit,omitempty"` // documents a second that an operator allows
	Slowed    string       `json:"slowed,omitempty"`
	Switch    bool         `json:"switch,omitempty"` // it is to serve once it is verified
	StartedAt time.Time    `json:"started_at"`
	UpdatedAt time.Time    `json:"updated_at"`
	Prepared  bool         `json:"prepared"` // the new index has what was known before it
	Verified  *Verified    `json:"verified,omitempty"`
}

// Verified is what a verification found.
type Verified struct {
	At          time.Time     `json:"at"`
	Documents   uint64        `json:"documents"` // conversations whose positions were compared
	Customers   uint64        `json:"customers"` // and customers
	Sampled     int           `json:"sampled"`   // that were folded from the log again
	Queries     int           `json:"queries"`   // that were asked of both
	Counts      []StatusCount `json:"counts"`    // of the new index
	Differences []string      `json:"differences,omitempty"`
	Found       int           `json:"found"` // differences, also those that are not listed
}

// StatusCount is how many conversations of an org have a status.
type StatusCount struct {
	Org    string `json:"org"`
	Status string `json:"status"`
	Count  uint64 `json:"count"`
}

// Rebuild asks something of the indexes. Faults: rebuild_running, rebuild_state, rebuild_unsupported, and search_unavailable
// while nobody answers.
func (c *Client) Rebuild(ctx context.Context, r RebuildRequest) (RebuildStatus, error) {
	var s RebuildStatus
	err := c.ask(ctx, SubjectRebuild, countTimeout, r, &s)
	return s, err
}

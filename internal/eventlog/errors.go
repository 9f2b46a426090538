package eventlog

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

var (
	// ErrConflict says that an expectation did not hold and nothing was written: load the subject again, look for your own
	// command id, decide again.
	ErrConflict = fault.New(fault.Conflict, "conflict", "somebody else changed it at the same time")

	// ErrUnknownOutcome says that the write was sent and no answer came: it may be there or not. Load the subject again and
	// look for your own command id.
	ErrUnknownOutcome = fault.New(fault.Unavailable, "outcome_unknown", "the log did not answer in time; the write may have happened")

	// ErrUnavailable says that nothing was written, or nothing could be read, and that it is worth trying again.
	ErrUnavailable = fault.New(fault.Unavailable, "log_unavailable", "the log cannot be reached")
)

// The server's error numbers that decide what a refusal means. Its texts are never looked at.
const (
	codeWrongLastSequence  = 10071 // the expectation is stale
	codeWrongLastConstant  = 10164 // …or another write of that subject is in process, or it is the second in a batch
	codeDuplicateInBatch   = 10201 // a message id of the batch is in the stream already
	codeBatchIncomplete    = 10176 // part of a batch was lost, or its leader changed: nothing was written
	codeBatchTooLarge      = 10199
	codeBatchTooManyOpen   = 10210
	codeMessageTooLarge    = 10054
	codeHeaderTooLarge     = 10097
	codeStreamNotFound     = 10059
	codeNoMessageFound     = 10037
	codeStreamNameInUse    = 10058
	codeSubjectsOverlap    = 10065
	codeNoResources        = 10023 // a limit of the server or the account
	codeNoStorage          = 10047
	codeStoreFailed        = 10077 // a limit of the stream, or its disk
	statusNoResponders     = "503"
	statusEndOfBatch       = "204"
	statusNotFound         = "404"
	headerStatus           = "Status"
	headerExpectedSequence = "Nats-Expected-Last-Subject-Sequence"
)

// apiError is an error answer of the server.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("nats: %s (%d)", e.Description, e.ErrCode)
}

func (e *apiError) conflict() bool {
	switch e.ErrCode {
	case codeWrongLastSequence, codeWrongLastConstant, codeDuplicateInBatch:
		return true
	}
	return false
}

// batchOnly tells whether a batch was refused for being a batch, or for one of its members: they may still be written one by
// one.
func (e *apiError) batchOnly() bool {
	switch e.ErrCode {
	case codeBatchIncomplete, codeBatchTooLarge, codeBatchTooManyOpen, codeMessageTooLarge, codeHeaderTooLarge:
		return true
	}
	return false
}

// refusal turns a definite no into what the caller is told.
func (e *apiError) refusal() error {
	switch {
	case e.conflict():
		return ErrConflict.WithCause(e)
	case e.ErrCode == codeMessageTooLarge, e.ErrCode == codeHeaderTooLarge:
		return tooLarge(0).WithCause(e)
	case e.ErrCode == codeNoResources, e.ErrCode == codeNoStorage, e.ErrCode == codeStoreFailed:
		return ErrUnavailable.WithCause(e).WithHint("the log has no room: its disk is full, or NATS limits its storage")
	default:
		return ErrUnavailable.WithCause(e)
	}
}

func tooLarge(limit int64) *fault.Fault {
	f := fault.New(fault.Invalid, "event_too_large", "the event is larger than the log takes")
	if limit > 0 {
		f = f.WithHint("%d bytes at most", limit)
	}
	return f
}

var errNoResponders = errors.New("no server answers for the stream; it may be choosing a leader")

// ack is the server's answer to a publish.
type ack struct {
	Seq   uint64    `json:"seq"`
	Count int       `json:"count"`
	Error *apiError `json:"error"`
}

func parseAck(m *nats.Msg) (ack, error) {
	if m.Header.Get(headerStatus) == statusNoResponders {
		return ack{}, errNoResponders
	}
	var a ack
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return ack{}, fmt.Errorf("read the answer to a publish: %w", err)
	}
	return a, nil
}

// definitelyUnsent tells whether a publish failed before anything of it reached the wire.
func definitelyUnsent(err error) bool {
	for _, known := range []error{
		nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionDraining, nats.ErrMaxPayload,
		nats.ErrBadSubject, nats.ErrHeadersNotSupported, nats.ErrInvalidConnection,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

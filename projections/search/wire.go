package search

import (
	"errors"
	"fmt"
	"slices"
	"time"

	json "github.com/go-json-experiment/json/v1" // as encoding/json, and faster

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/projections"
)

// Where the search indexer listens. Each takes a JSON request and gives back what Encode writes.
const (
	SubjectQuery  = "svc.search.query"  // Request → Answer
	SubjectStatus = "svc.search.status" // nothing → Status
	SubjectCount  = "svc.search.count"  // CountRequest → []Count
	SubjectParked = "svc.search.parked" // nothing → []projections.Parked
	SubjectAsk    = "svc.search.ask"    // AskRequest → nothing
	QueueGroup    = "search-indexer"
	// HeaderTimeout is how many milliseconds the caller waits: nothing is worked on for longer.
	HeaderTimeout = "Tidemark-Timeout-Ms"
)

// AskRequest is what an operator asks of a parked key.
type AskRequest struct {
	Key      string `json:"key"`      // projections.Parked.Key
	Sequence uint64 `json:"sequence"` // of the failed event that the operator saw
	Ask      string `json:"ask"`      // projections.AskRetry or AskDrop
}

// Status of the search indexer.
type Status struct {
	State     string           `json:"state"` // starting, standby, running, failing, stopped
	Reason    string           `json:"reason,omitempty"`
	Healthy   bool             `json:"healthy"`
	Documents uint64           `json:"documents"`
	AsOf      projections.AsOf `json:"as_of"`
	// FinishSeconds are left until it is current; absent while that is not known.
	FinishSeconds *float64             `json:"finish_seconds,omitempty"`
	Partitions    []projections.Status `json:"partitions,omitempty"`
}

// reply is what goes over the wire: a result or a fault, with its kind and code.
type reply struct {
	Result json.RawMessage `json:"result,omitempty"`
	Fault  *wireFault      `json:"fault,omitempty"`
}

type wireFault struct {
	Kind       string        `json:"kind"`
	Code       string        `json:"code"`
	Message    string        `json:"message"`
	Hint       string        `json:"hint,omitempty"`
	Fields     []fault.Field `json:"fields,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}

// Encode writes a reply. An error that is not a fault stays here: the caller learns that it is internal.
func Encode(result any, err error) []byte {
	var r reply
	if err == nil {
		var raw []byte
		if raw, err = json.Marshal(result); err == nil { // a RawMessage would be read again, to be sure that it is JSON
			return slices.Concat([]byte(`{"result":`), raw, []byte("}"))
		}
	}
	if err != nil {
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok {
			f = fault.New(fault.Internal, "internal", "the search failed")
		}
		r = reply{Fault: &wireFault{
			Kind: f.Kind.String(), Code: f.Code, Message: f.Message, Hint: f.Hint, Fields: f.Fields, RetryAfter: f.RetryAfter,
		}}
	}
	out, err := json.Marshal(r)
	if err != nil {
		return []byte(`{"fault":{"kind":"internal","code":"internal","message":"the reply cannot be written"}}`)
	}
	return out
}

// Decode reads a reply: into result, which may be nil, or as the fault that it carries.
func Decode(data []byte, result any) error {
	var r reply
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("read the search indexer's reply: %w", err)
	}
	if f := r.Fault; f != nil {
		return &fault.Fault{Kind: kindOf(f.Kind), Code: f.Code, Message: f.Message, Hint: f.Hint, Fields: f.Fields, RetryAfter: f.RetryAfter}
	}
	if result == nil {
		return nil // that it was done is the answer
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fmt.Errorf("read the search indexer's result: %w", err)
	}
	return nil
}

func kindOf(name string) fault.Kind {
	for _, k := range []fault.Kind{
		fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.Conflict, fault.TooMany, fault.Unavailable,
	} {
		if k.String() == name {
			return k
		}
	}
	return fault.Internal
}

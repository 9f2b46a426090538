// Package fault is the one error taxonomy of Tidemark.
//
// Whatever a caller may be told is a *Fault: a kind that decides the status, a code that is part of the
// public interface and never changes, a message for a person, and a hint that says what to do next. Any
// other error is internal: its text goes to the operator's log and never to a caller.
//
// It must not know about HTTP, the log or any store; services/api translates it in one place.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind groups faults by what the caller can do about them.
type Kind int

// The kinds, in the order of their usual HTTP status.
const (
	Internal        Kind = iota // not the caller's doing; its text stays inside
	Invalid                     // the request can never succeed as it is
	Unauthenticated             // nobody knows who is asking
	Forbidden                   // known, and not allowed
	NotFound                    // not there, or not theirs
	Conflict                    // the state does not allow it now
	TooMany                     // a limit was reached; try later
	Unavailable                 // something that is needed is away; try later
)

func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Unauthenticated:
		return "unauthenticated"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not_found"
	case Conflict:
		return "conflict"
	case TooMany:
		return "too_many"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// Field is one part of a request that is wrong.
type Field struct {
	Location string // as the caller wrote it: "body.message.text", "query.limit"
	Message  string
}

// Fault is an error that a caller may be told.
type Fault struct { //nolint:errname // fault.Fault reads better than fault.FaultError
	Kind       Kind
	Code       string // stable, snake_case
	Message    string // what is wrong
	Hint       string // what to do next
	Fields     []Field
	RetryAfter time.Duration // for TooMany and Unavailable; zero when unknown
	Cause      error         // for the operator; never shown to a caller
}

// New makes a fault. Sentinels are made with it and compared with errors.Is.
func New(kind Kind, code, message string) *Fault {
	return &Fault{Kind: kind, Code: code, Message: message}
}

// Newf is New with a formatted message.
func Newf(kind Kind, code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (f *Fault) Error() string {
	s := f.Message
	if f.Cause != nil {
		s += ": " + f.Cause.Error()
	}
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}

func (f *Fault) Unwrap() error { return f.Cause }

// Is makes two faults equal when their kind and code are, so that a sentinel still matches after With….
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault) // Is compares this very error, errors.Is walks the chain
	return ok && t.Code == f.Code && t.Kind == f.Kind
}

// WithHint returns a copy that says what to do next.
func (f *Fault) WithHint(format string, args ...any) *Fault {
	c := *f
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// WithCause returns a copy that carries what went wrong underneath.
func (f *Fault) WithCause(err error) *Fault {
	c := *f
	c.Cause = err
	return &c
}

// WithFields returns a copy that names the parts of the request that are wrong.
func (f *Fault) WithFields(fields ...Field) *Fault {
	c := *f
	c.Fields = append(append([]Field(nil), f.Fields...), fields...)
	return &c
}

// WithRetryAfter returns a copy that says when to try again.
func (f *Fault) WithRetryAfter(d time.Duration) *Fault {
	c := *f
	c.RetryAfter = d
	return &c
}

// KindOf tells the kind of the first fault in err's chain; Internal when there is none.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Kind
	}
	return Internal
}

// CodeOf tells the code of the first fault in err's chain; "internal" when there is none.
func CodeOf(err error) string {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Code
	}
	return "internal"
}

package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// ProblemType is the media type of a problem.
const ProblemType = "application/problem+json"

// Problem is an error as a caller sees it (RFC 9457). Code is what programs decide by; it never changes.
type Problem struct { //nolint:errname // the standard's word; it is an answer first and an error second
	Type   string         `json:"type" doc:"Where the code is described; relative to the server." example:"/docs/errors#not_yet"`
	Title  string         `json:"title" doc:"What the code means, the same every time."`
	Status int            `json:"status" doc:"The HTTP status."`
	Detail string         `json:"detail" doc:"What is wrong this time."`
	Code   string         `json:"code" doc:"Stable name of the problem; programs decide by it." example:"not_yet"`
	Hint   string         `json:"hint,omitempty" doc:"What to do next."`
	Errors []ProblemField `json:"errors,omitempty" doc:"The parts of the request that are wrong."`

	retryAfter time.Duration
}

// ProblemField is one part of the request that is wrong.
type ProblemField struct {
	Location string `json:"location,omitempty" doc:"Where it stands in the request." example:"body.message.text"`
	Message  string `json:"message" doc:"What is wrong with it."`
}

// Error makes a problem an error, so that a framework can carry it.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType replaces the plain JSON type.
func (p *Problem) ContentType(string) string { return ProblemType }

// GetHeaders are the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="tidemark"`)
	}
	return h
}

// Translate makes a problem of any error. Only a fault speaks to the caller; of everything else nothing is told,
// and internal is true so that the text goes to the operator's log.
func Translate(err error) (p *Problem, internal bool) {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p, p.Status == http.StatusInternalServerError
	}
	f, ok := errors.AsType[*fault.Fault](err)
	switch {
	case ok && f.Kind != fault.Internal:
		return fromFault(f), false
	case errors.Is(err, context.DeadlineExceeded):
		return fromFault(errTimeout), false
	case errors.Is(err, context.Canceled):
		return fromFault(errCanceled), false
	default:
		return internalProblem(), true
	}
}

// Locate says where in the request the parts stand that the domain names by their own name.
func (p *Problem) Locate(where func(name string) string) {
	for i, f := range p.Errors {
		if f.Location != "" && !strings.ContainsAny(f.Location, ".[") && f.Location != "body" && f.Location != "query" && f.Location != "path" {
			p.Errors[i].Location = where(f.Location)
		}
	}
}

func fromFault(f *fault.Fault) *Problem {
	p := &Problem{Status: StatusOf(f), Detail: f.Message, Code: f.Code, Hint: f.Hint, retryAfter: f.RetryAfter}
	if p.Status == http.StatusServiceUnavailable && p.retryAfter == 0 {
		p.retryAfter = time.Second
	}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, ProblemField{Location: field.Location, Message: field.Message})
	}
	p.describe()
	return p
}

// describe sets what follows from the code.
func (p *Problem) describe() {
	p.Type = "/docs/errors#" + p.Code
	if c, ok := byCode[p.Code]; ok {
		p.Title = c.Title
		return
	}
	p.Title = strings.ReplaceAll(p.Code, "_", " ")
	if p.Title != "" {
		p.Title = strings.ToUpper(p.Title[:1]) + p.Title[1:]
	}
}

func internalProblem() *Problem {
	p := &Problem{
		Status: http.StatusInternalServerError, Code: "internal",
		Detail: "something went wrong on our side",
		Hint:   "try again; if it stays, tell the operator when it happened",
	}
	p.describe()
	return p
}

// StatusOf is the status of a fault: that of its kind, unless its code has one of its own.
func StatusOf(f *fault.Fault) int {
	if c, ok := byCode[f.Code]; ok {
		return c.Status
	}
	return statusOfKind(f.Kind)
}

// statusOfKind is the usual status of a kind.
func statusOfKind(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// WriteError answers with the problem that err is. An internal error is logged; logger may be nil when err is
// known to be a fault.
func WriteError(w http.ResponseWriter, r *http.Request, logger *slog.Logger, err error) {
	p, internal := Translate(err)
	if internal && logger != nil {
		LogInternal(r.Context(), logger, r.Method, r.Pattern, err)
	}
	WriteProblem(w, p)
}

// LogInternal tells the operator what the caller is not told.
func LogInternal(ctx context.Context, logger *slog.Logger, method, route string, err error) {
	logger.ErrorContext(ctx, "request failed", "method", method, "route", route, "error", err)
}

// WriteProblem answers with p.
func WriteProblem(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	maps.Copy(h, p.GetHeaders())
	h.Set("Content-Type", ProblemType)
	h.Set("Cache-Control", "no-store")
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"code":"internal","status":500}`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

package web

import (
	"net/http"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The faults that HTTP itself brings.
var (
	ErrNoRoute          = fault.New(fault.NotFound, "not_found", "there is nothing here").WithHint("/docs lists what there is")
	ErrMethodNotAllowed = fault.New(fault.Invalid, "method_not_allowed", "this path does not take this method").WithHint("the Allow header lists those that it takes")
	ErrBodyTooLarge     = fault.New(fault.Invalid, "body_too_large", "the body is larger than 1 MiB")
	ErrBodyTimeout      = fault.New(fault.Invalid, "body_timeout", "the body took too long to arrive")
	ErrBodyMalformed    = fault.New(fault.Invalid, "body_malformed", "the body is not JSON")
	ErrTextRefused      = fault.New(fault.Invalid, "text_refused", "the request has text that cannot be kept")
	ErrMediaType        = fault.New(fault.Invalid, "unsupported_media_type", "the body must be application/json, not compressed")
	ErrRateLimited      = fault.New(fault.TooMany, "rate_limited", "too many requests").WithHint("wait as long as Retry-After says")
	ErrStopping         = fault.New(fault.Unavailable, "stopping", "the server is about to stop").WithHint("connect again; another one answers")
	ErrNotStreamable    = fault.New(fault.Invalid, "not_streamable", "events cannot be streamed over this connection")
	errTimeout          = fault.New(fault.Unavailable, "timeout", "the answer took too long").WithHint("try again; a write may have been done, so send it with the same Idempotency-Key")
	errCanceled         = fault.New(fault.Unavailable, "canceled", "the request was given up before it was answered")
	errValidation       = fault.New(fault.Invalid, "validation_failed", "the request is not as it must be")
)

// Invalid is the fault for a request whose parts are wrong; each field names one.
func Invalid(fields ...fault.Field) *fault.Fault { return errValidation.WithFields(fields...) }

// Code describes one stable code.
type Code struct {
	Code   string
	Status int
	Title  string
	Help   string // what to do about it
}

// byCode finds a code's entry.
var byCode = func() map[string]Code {
	m := make(map[string]Code, len(Codes))
	for _, c := range Codes {
		m[c.Code] = c
	}
	return m
}()

// Codes lists the codes that have a status or a title of their own, in the order of their status. Every other code
// has the status of its kind and a title made of its words. docs/errors.md lists all.
var Codes = []Code{
	{"body_malformed", http.StatusBadRequest, "The body is not JSON", "Send one JSON object."},
	{"text_refused", http.StatusBadRequest, "Text that cannot be kept", "Send UTF-8 without control characters (tab and line breaks are fine) and without half surrogate pairs."},
	{"unauthenticated", http.StatusUnauthorized, "No valid key", "Send `Authorization: Bearer tdm_…` with a key that is not revoked."},
	{"forbidden", http.StatusForbidden, "Not allowed with this key", "Use a key with the role admin."},
	{"not_found", http.StatusNotFound, "Not there", "Check the id and the path. What belongs to another org is not there either."},
	{"method_not_allowed", http.StatusMethodNotAllowed, "Not with this method", "The Allow header lists the methods."},
	{"body_timeout", http.StatusRequestTimeout, "The body was too slow", "Send it again, with the same Idempotency-Key."},
	{"idempotency_key_reused", http.StatusConflict, "The key was used for something else", "Use a new Idempotency-Key (or message id) for a new request; repeat a request unchanged."},
	{"conflict", http.StatusConflict, "Changed at the same time", "Others keep changing the same thing; try again with the same Idempotency-Key."},
	{"not_yet", http.StatusPreconditionFailed, "Not read that far yet", "Ask again: the answer will be as new as min_position soon. The detail says how far behind it is."},
	{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large", "Keep a body within 1 MiB."},
	{"attachment_too_large", http.StatusRequestEntityTooLarge, "The file is too large", "Send a file of at most 10 MiB."},
	{"unsupported_media_type", http.StatusUnsupportedMediaType, "Not JSON", "Send `Content-Type: application/json`, without Content-Encoding."},
	{"validation_failed", http.StatusUnprocessableEntity, "Parts of the request are wrong", "errors names each part; unknown fields are refused too."},
	{"position_unknown", http.StatusUnprocessableEntity, "A position of another log", "The log was made anew since; forget the position and read from the start."},
	{"not_streamable", http.StatusUnprocessableEntity, "Cannot stream here", "Connect over HTTP/1.1 or HTTP/2, without a buffering proxy between."},
	{"rate_limited", http.StatusTooManyRequests, "Too many requests", "Wait as long as Retry-After says; RateLimit-Remaining tells beforehand."},
	{"internal", http.StatusInternalServerError, "Our fault", "Try again; if it stays, tell the operator when it happened."},
	{"starting", http.StatusServiceUnavailable, "Still starting", "Try again in a moment."},
	{"stopping", http.StatusServiceUnavailable, "About to stop", "Connect again; another server answers."},
	{"timeout", http.StatusServiceUnavailable, "Took too long", "Try again; repeat a write with the same Idempotency-Key."},
	{"canceled", http.StatusServiceUnavailable, "Given up", "The request ended before its answer; try again."},
	{"outcome_unknown", http.StatusServiceUnavailable, "Perhaps written, perhaps not", "Try again with the same Idempotency-Key: it is written once."},
	{"log_unavailable", http.StatusServiceUnavailable, "The log is away", "Nothing was accepted; try again with the same Idempotency-Key."},
}

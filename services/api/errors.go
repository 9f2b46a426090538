package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// problemsOnce makes huma's own refusals problems of ours, and a field in another case an unknown one. huma takes both
// from package variables only; they are set once, before the first API of the process is built.
var problemsOnce = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		p, _ := web.Translate(ofStatus(status, errs))
		return p
	}
})

// ofStatus is the fault behind a status that huma gives.
func ofStatus(status int, errs []error) error {
	var fields []fault.Field
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail() // the value is not echoed: it may be a message
			fields = append(fields, fault.Field{Location: detail.Location, Message: plain(detail.Message)})
		}
	}
	switch status {
	case http.StatusBadRequest:
		return web.ErrBodyMalformed.WithFields(fields...)
	case http.StatusRequestTimeout:
		return web.ErrBodyTimeout
	case http.StatusRequestEntityTooLarge:
		return web.ErrBodyTooLarge
	case http.StatusUnsupportedMediaType:
		return web.ErrMediaType
	case http.StatusUnprocessableEntity:
		return web.Invalid(fields...)
	default:
		return fault.New(fault.Internal, "internal", http.StatusText(status))
	}
}

// plain keeps the names of Go's types out of a message.
func plain(message string) string {
	if strings.HasPrefix(message, "json: ") {
		return "is not of the expected type"
	}
	return message
}

var errReadsAway = fault.New(fault.Unavailable, "read_models_unavailable", "the read models are away").
	WithHint("writing works; try again in a moment")

// storeAway tells whether the database did not answer, or has no tables yet because no projection has run: that says
// nothing about the request.
func storeAway(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok && !errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "53", "57": // connection, resources, shutdown
		return true
	}
	return e.Code == "42P01" || e.Code == "3F000" // no such table, no such schema
}

// problem is how an error of a handler leaves; what must not leave is logged.
func (s *Service) problem(ctx context.Context, o operation, err error) error {
	if fault.KindOf(err) == fault.Internal && storeAway(err) {
		s.Logger.WarnContext(ctx, "the read models are away", "route", o.path, "error", err)
		err = errReadsAway
	}
	p, internal := web.Translate(err)
	if internal {
		web.LogInternal(ctx, s.Logger, o.method, o.path, err)
	}
	p.Locate(func(name string) string {
		if strings.Contains(o.path, "{"+name+"}") {
			return "path." + name
		}
		return "body." + name
	})
	return p
}

// wrong is the fault for one part of a body that is well-formed and names something that is not there.
func wrong(location, message string) error {
	return web.Invalid(fault.Field{Location: location, Message: message})
}

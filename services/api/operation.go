package api

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-desk/tidemark/docs"
	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/web"
)

// operation is one method on one path.
type operation struct {
	id, method, path string
	tag              string
	summary, doc     string
	status           int // default 200
	admin            bool
	codes            []string      // that it can answer, besides those of every operation
	longest          time.Duration // that it may take; default Deps.Timeout
	file             bool          // its body is a file, and its handler reads it
}

// slow is how long what reads or writes a large part of the log may take.
const slow = 10 * time.Minute

// newHuma makes the API on a mux. Unknown parts of bodies and queries are refused.
func newHuma(mux *http.ServeMux) huma.API {
	problemsOnce()
	config := huma.DefaultConfig("Tidemark", "1")
	config.Info.Description = "The backend of a customer-support desk. Every error is an RFC 9457 problem with a stable code; " +
		"/docs/errors lists them. A write answers with Tidemark-Position; a read with min_position waits for it."
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", "" // served by pages.go, without a network
	config.CreateHooks = nil                                             // no $schema links in answers
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key, " + keyPrefix + "…"},
	}
	config.Security = []map[string][]string{{"key": {}}}
	return humago.New(mux, config)
}

// add registers an operation: h gets the decoded and checked input, and a context that ends when the answer has taken
// too long; its error becomes a problem. A stream goes on behind h, in the context of its request.
func add[I, O any](s *Service, o operation, h func(ctx context.Context, in *I) (*O, error)) {
	longest := cmp.Or(o.longest, s.Timeout)
	_, keyed := reflect.TypeFor[I]().FieldByName("Writing")
	huma.Register(s.api, s.describe(o, keyed), func(ctx context.Context, in *I) (*O, error) {
		bounded, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		out, err := h(bounded, in)
		if err != nil {
			return nil, s.problem(ctx, o, err)
		}
		return out, nil
	})
}

// describe is an operation for the document; keyed says that it takes an Idempotency-Key.
func (s *Service) describe(o operation, keyed bool) huma.Operation {
	codes := append([]string{"unauthenticated", "starting", "rate_limited", "text_refused", "validation_failed", "timeout", "internal"}, o.codes...)
	if o.admin {
		codes = append(codes, "forbidden")
	}
	if strings.Contains(o.path, "{id}") {
		codes = append(codes, "not_found")
	}
	switch o.method {
	case http.MethodGet:
		codes = append(codes, "read_models_unavailable")
	case http.MethodDelete:
	default:
		codes = append(codes, "body_malformed", "body_timeout", "unsupported_media_type")
		if !o.file {
			codes = append(codes, "body_too_large")
		}
	}
	if keyed {
		codes = append(codes, "idempotency_key_reused")
		codes = append(codes, writeCodes...)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.doc,
		Tags: []string{o.tag}, DefaultStatus: o.status,
		Responses: s.responses(codes), Extensions: map[string]any{"x-problem-codes": codes},
		MaxBodyBytes: -1, BodyReadTimeout: -1, // web.CheckRequest has read the body already
	}
	if o.file {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}
	}
	if o.admin {
		op.Middlewares = huma.Middlewares{onlyAdmin}
		op.Description = strings.TrimSpace(op.Description + " Only for keys with the role admin.")
	}
	return op
}

// writeCodes are those of everything that writes to the log.
var writeCodes = []string{"conflict", "log_unavailable", "outcome_unknown"}

// responses describes the problems that the codes are, one response for each status.
func (s *Service) responses(codes []string) map[string]*huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[web.Problem](), true, "Problem")
	out := map[string]*huma.Response{}
	for _, code := range codes {
		status := strconv.Itoa(statusOfCode(code))
		if r := out[status]; r != nil {
			r.Description += ", `" + code + "`"
			continue
		}
		out[status] = &huma.Response{
			Description: "`" + code + "`",
			Content:     map[string]*huma.MediaType{web.ProblemType: {Schema: schema}},
		}
	}
	return out
}

// listed is the status of every code, as docs/errors.md has them.
var listed = func() map[string]int {
	out := map[string]int{}
	for line := range strings.Lines(docs.Errors) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		if status, err := strconv.Atoi(strings.TrimSpace(cells[2])); err == nil {
			out[strings.Trim(cells[1], " `")] = status
		}
	}
	return out
}()

func statusOfCode(code string) int {
	status, ok := listed[code]
	if !ok {
		panic("api: an operation answers with " + code + ", which docs/errors.md does not list")
	}
	return status
}

// Writing is the part of the input of every command.
type Writing struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Any text that is new for every new write. Sending the same request again with the same key adds nothing and answers as the first time, for ever; another request with the same key is refused."`
}

// meta is the command behind a write. With an Idempotency-Key its id follows from the key and who sends it, so that a
// retry is the same command; body is what must then be the same too.
func (w Writing) meta(ctx context.Context, body any) command.Meta {
	c := callerOf(ctx)
	if w.IdempotencyKey == "" {
		return command.Meta{ID: events.NewID(), Actor: c.actor()}
	}
	return command.Meta{
		ID:     command.DeriveID("api", c.OrgID, c.AgentID, w.IdempotencyKey),
		Digest: command.Digest([]any{c.method, c.url.Path, body}),
		Actor:  c.actor(),
	}
}

// ByID is the part of the input that names one thing.
type ByID struct {
	ID string `path:"id" doc:"Its id."`
}

// Written answers a write.
type Written[T any] struct {
	Position string `header:"Tidemark-Position" doc:"Where the write stands in the log; give it as min_position to a read that must show it."`
	Body     T
}

// Done is the body of an answer to a write that changed something.
type Done struct {
	ID       string `json:"id" doc:"Of what was written."`
	Position string `json:"position" doc:"Where the write stands in the log."`
}

func written[T any](position string, body T) *Written[T] {
	return &Written[T]{Position: position, Body: body}
}

// done answers with the id and the position.
func done(id string, r command.Result) *Written[Done] {
	position := r.Position.String()
	return written(position, Done{ID: id, Position: position})
}

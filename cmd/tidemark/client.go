package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The files in the data directory by which the other commands find a server that runs there.
const (
	adminKeyFile  = "admin.key"
	serverURLFile = "server.url"
)

// clientFlags are how a command finds the server and proves who it is.
type clientFlags struct {
	Data string `help:"Data directory of a server on this machine: its address and admin key are found there." default:"./data" env:"TIDEMARK_DATA_DIR" placeholder:"DIR"`
	URL  string `name:"url" help:"Address of a server elsewhere." env:"TIDEMARK_URL" placeholder:"URL"`
	Key  string `help:"API key." env:"TIDEMARK_KEY" placeholder:"KEY"`
}

// client speaks to a server's REST API.
type client struct {
	base string
	key  string
	http *http.Client
}

// connect reads what the flags leave out from the data directory.
func (f clientFlags) connect() (*client, error) {
	c := &client{base: f.URL, key: f.Key, http: &http.Client{Timeout: 30 * time.Minute}}
	if c.base == "" {
		raw, err := os.ReadFile(filepath.Join(f.Data, serverURLFile))
		if err != nil {
			return nil, fault.Newf(fault.Unavailable, "server_unknown", "no server has been started on %s", f.Data).
				WithHint("start one with 'tidemark serve --data %s', or name it with --data DIR or --url URL", f.Data)
		}
		c.base = strings.TrimSpace(string(raw))
	}
	if c.key == "" {
		raw, err := os.ReadFile(filepath.Join(f.Data, adminKeyFile))
		if errors.Is(err, os.ErrPermission) {
			return nil, fault.Newf(fault.Forbidden, "key_unreadable", "%s may not be read by you", filepath.Join(f.Data, adminKeyFile)).
				WithHint("run as the user of the server, or give --key")
		}
		if err != nil {
			return nil, fault.Newf(fault.Unauthenticated, "key_missing", "no admin key in %s", f.Data).
				WithHint("give --key, or --data with the directory of the server")
		}
		c.key = strings.TrimSpace(string(raw))
	}
	return c, nil
}

// problem is an answer of RFC 9457.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Hint   string `json:"hint"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

// do sends a request; in and out may be nil.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = encode(in); err != nil {
			return err
		}
	}
	return c.send(ctx, method, path, body, out)
}

// encode is JSON as short as it can be: what a page would have to escape is left as it is.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// send is do for a body that is JSON already; it may be nil.
func (c *client) send(ctx context.Context, method, path string, body []byte, out any) error {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base, "/")+path, reader)
	if err != nil {
		return fault.Newf(fault.Invalid, "url_invalid", "%q is not the address of a server", c.base).WithCause(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fault.Newf(fault.Unavailable, "server_unreachable", "no server answers at %s", c.base).
			WithHint("is 'tidemark serve' running? name it with --data DIR or --url URL").WithCause(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return fault.New(fault.Unavailable, "server_unreachable", "the answer broke off; ask again").WithCause(err)
	}
	if response.StatusCode >= 400 {
		return problemError(response, raw)
	}
	if out == nil || len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s answered what this version does not understand: %w", method, path, err)
	}
	return nil
}

// answerError is an answer that says no. What it wraps is the fault that a person is told.
type answerError struct {
	status  int
	problem problem
	fault   *fault.Fault
}

func (e *answerError) Error() string { return e.fault.Error() }
func (e *answerError) Unwrap() error { return e.fault }

// detail is what is wrong, on one line and without the code.
func (p problem) detail() string {
	parts := []string{cmp.Or(p.Detail, p.Title)}
	for _, e := range p.Errors {
		parts = append(parts, e.Location+" "+e.Message)
	}
	return strings.Join(parts, "; ")
}

func problemError(response *http.Response, raw []byte) *answerError {
	kinds := map[int]fault.Kind{
		http.StatusUnauthorized: fault.Unauthenticated, http.StatusForbidden: fault.Forbidden,
		http.StatusNotFound: fault.NotFound, http.StatusConflict: fault.Conflict,
		http.StatusTooManyRequests: fault.TooMany, http.StatusServiceUnavailable: fault.Unavailable,
		http.StatusPreconditionFailed: fault.Unavailable,
	}
	kind, ok := kinds[response.StatusCode]
	if !ok {
		kind = fault.Internal
		if response.StatusCode < 500 {
			kind = fault.Invalid
		}
	}
	e := &answerError{status: response.StatusCode}
	if json.Unmarshal(raw, &e.problem) != nil || e.problem.Code == "" {
		e.problem = problem{Code: "unexpected_answer", Detail: fmt.Sprintf("the server answered %s: %.200s", response.Status, raw)}
		e.fault = fault.New(kind, e.problem.Code, e.problem.Detail)
		return e
	}
	p := e.problem
	e.fault = fault.New(kind, p.Code, cmp.Or(p.Detail, p.Title)+" ["+p.Code+"]")
	e.fault.Hint = p.Hint
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		e.fault.RetryAfter = time.Duration(seconds) * time.Second
	}
	for _, field := range p.Errors {
		e.fault.Message += fmt.Sprintf("\n  %s: %s", field.Location, field.Message)
	}
	return e
}

// page is a page of a list.
type page[T any] struct {
	Items       []T           `json:"items"`
	Unreachable []unreachable `json:"unreachable"`
	Links       struct {
		Next string `json:"next"`
	} `json:"links"`
}

// unreachable is a projection that could not be asked for its part of a list.
type unreachable struct {
	Projection string `json:"projection"`
	Reason     string `json:"reason"`
}

// each walks a list over all its pages.
func each[T any](ctx context.Context, c *client, path string, fn func(T) error) error {
	return eachPage(ctx, c, path, func(p page[T]) error {
		for _, item := range p.Items {
			if err := fn(item); err != nil {
				return err
			}
		}
		return nil
	})
}

func eachPage[T any](ctx context.Context, c *client, path string, fn func(page[T]) error) error {
	for path != "" {
		var p page[T]
		if err := c.do(ctx, http.MethodGet, path, nil, &p); err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
		next, err := url.Parse(p.Links.Next)
		if err != nil || p.Links.Next == "" {
			return nil //nolint:nilerr // a link that cannot be read ends the list; the server never sends one
		}
		path = next.RequestURI()
	}
	return nil
}

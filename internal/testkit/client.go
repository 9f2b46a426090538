package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Attempt is how long Try waits for an answer. It is a part of patience, so that one request that hangs does not take all
// the time of who tries again.
const Attempt = 10 * time.Second

// Client speaks to a server's HTTP interfaces with one key.
type Client struct {
	URL, Key string
	http     *http.Client
	attempt  time.Duration
}

// NewClient is a client with connections of its own, enough for many callers at once.
func NewClient(url, key string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
	return &Client{URL: url, Key: key, http: &http.Client{Transport: transport}, attempt: Attempt}
}

// With is the same client with another key.
func (c *Client) With(key string) *Client {
	return &Client{URL: c.URL, Key: key, http: c.http, attempt: c.attempt}
}

// Close ends the client's idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
}

// Do sends a request; body may be nil. header has name, value, …. The error is of the connection. It waits for longer than
// a server takes to say that it does not know what came of a write.
func (c *Client) Do(ctx context.Context, method, path string, body any, header ...string) (Answer, error) {
	return c.within(ctx, patience, method, path, body, header)
}

// Try is Do for who tries again, in Until or Eventually: it soon gives up a request that hangs.
func (c *Client) Try(ctx context.Context, method, path string, body any, header ...string) (Answer, error) {
	return c.within(ctx, c.attempt, method, path, body, header)
}

func (c *Client) within(ctx context.Context, limit time.Duration, method, path string, body any, header []string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	response, err := c.Open(ctx, method, path, body, header...)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	return Answer{Status: response.StatusCode, Header: response.Header, Raw: raw}, err
}

// Open is Do for an answer that goes on for as long as ctx, such as a stream. The caller closes its body.
func (c *Client) Open(ctx context.Context, method, path string, body any, header ...string) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, reader)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.Key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.http.Do(r)
}

// OK is Do for a request that must succeed.
func (c *Client) OK(tb testing.TB, method, path string, body any, header ...string) Answer {
	tb.Helper()
	a, err := c.Do(tb.Context(), method, path, body, header...)
	if err != nil || a.Status >= 300 {
		tb.Fatalf("%s %s: %d %s %v", method, path, a.Status, a.Raw, err)
	}
	return a
}

// Get walks the JSON of an answer: "items.0.id". What is not there is nil.
func (a Answer) Get(path string) any {
	var v any
	if json.Unmarshal(a.Raw, &v) != nil {
		return nil
	}
	for part := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// Str is Get for a string; what is none is empty.
func (a Answer) Str(path string) string {
	s, _ := a.Get(path).(string)
	return s
}

// At is the part of an answer that Get finds.
func (a Answer) At(path string) Answer {
	raw, err := json.Marshal(a.Get(path))
	if err != nil {
		return Answer{}
	}
	return Answer{Status: a.Status, Header: a.Header, Raw: raw}
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// heard is one event of a stream.
type heard struct{ id, name, data string }

// readEvents gives the events of a stream as a browser has them: whole, or not at all. It ends with the stream.
func readEvents(stream io.Reader, each func(heard)) {
	var e heard
	for lines := bufio.NewReader(stream); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // cut off; what was not whole is not there
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			each(e)
			e = heard{}
		case field == "id":
			e.id = value
		case field == "event":
			e.name = value
		case field == "data":
			e.data = value
		}
	}
}

// listener is a client that follows a stream for as long as it is wanted, at one server after the other: whenever one is
// gone it goes on at another, behind the last id that it was told.
type listener struct {
	path string
	at   func() *testkit.Client // whom to ask next
	on   func(heard)            // may be nil

	mu    sync.Mutex
	first string // the id before all events
	last  string
	seen  []heard // those that have an id
	said  []heard // those that have none: typing, reconnect
	ended []ended
}

// ended is a stream that came to its end: at which server, and what it told last.
type ended struct{ url, last string }

// listen follows a stream until the test ends, or stop is called.
func listen(t *testing.T, path, after string, at func() *testkit.Client, on func(heard)) (l *listener, stop func()) {
	t.Helper()
	l = &listener{path: path, at: at, on: on, last: after, first: after}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := l.once(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("follow %s: %v", path, err)
				return
			}
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return l, stop
}

// once follows one stream to its end.
func (l *listener) once(ctx context.Context) error {
	var server *testkit.Client
	var stream *http.Response
	err := testkit.Eventually(ctx, "a server streams "+l.path, func() (err error) {
		server = l.at()
		if stream, err = server.Open(ctx, http.MethodGet, l.path, nil, "Last-Event-ID", l.where()); err != nil || //nolint:bodyclose // by who reads it, or below
			stream.StatusCode == http.StatusOK {
			return err
		}
		raw, _ := io.ReadAll(stream.Body)
		err = fmt.Errorf("%d %s", stream.StatusCode, raw)
		if stream.Body.Close(); stream.StatusCode != http.StatusServiceUnavailable {
			err = testkit.Final(err)
		}
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = stream.Body.Close() }()
	var last string
	readEvents(stream.Body, func(e heard) {
		if e.name != "" {
			last = e.name
		}
		l.take(e)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, ended{server.URL, last})
	return nil
}

func (l *listener) take(e heard) {
	l.mu.Lock()
	if e.id != "" {
		l.last = e.id
		if l.first == "" {
			l.first = e.id
		}
	}
	switch {
	case e.data == "":
	case e.id == "":
		l.said = append(l.said, e)
	default:
		l.seen = append(l.seen, e)
	}
	l.mu.Unlock()
	if l.on != nil && e.data != "" {
		l.on(e)
	}
}

func (l *listener) where() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// view is the ids of what it has seen.
func (l *listener) view() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, len(l.seen))
	for i, e := range l.seen {
		ids[i] = e.id
	}
	return ids
}

// has tells how many events it was told of this name whose data has a text.
func (l *listener) has(name, text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range slices.Concat(l.seen, l.said) {
		if e.name == name && strings.Contains(e.data, text) {
			n++
		}
	}
	return n
}

// hears waits until it was told of something, and fails when it was told twice.
func (l *listener) hears(t *testing.T, name, text string) {
	t.Helper()
	testkit.Until(t, fmt.Sprintf("%s tells %s %s", l.path, name, text), func() bool { return l.has(name, text) > 0 })
	if n := l.has(name, text); n != 1 {
		t.Errorf("%s told %s %s %d times", l.path, name, text, n)
	}
}

package web

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// The habits of a stream.
const (
	defaultHeartbeat = 15 * time.Second // between comments, so that proxies and clients see that it lives
	writeTimeout     = 10 * time.Second // a reader that takes nothing for so long is cut off; it resumes by its last id
	retryAfter       = 2 * time.Second  // how long a client waits before it connects again
	holdBytes        = 16 << 10         // of history are written at once
	keepBytes        = 1 << 10          // of a buffer are kept while a stream is idle: ten thousand of them are
)

// Stream writes server-sent events. It is safe for one writer and its own heartbeats.
type Stream struct {
	to   wire
	beat time.Duration

	mu      sync.Mutex
	buf     bytes.Buffer
	held    bool            // what is sent waits until there is more of it
	passed  events.Position // up to where nothing else is for this client; told with the next heartbeat
	timer   *time.Timer
	allowed func() error // nil: for ever
	end     func(error)  // called with the error of allowed
	err     error        // of the first write that did not pass; nothing is written afterwards
}

// OpenStream begins a stream of events and its heartbeats; Close ends both. A heartbeat of zero means the default.
func OpenStream(w http.ResponseWriter, heartbeat time.Duration) (*Stream, error) {
	describe(w.Header())
	w.WriteHeader(http.StatusOK)
	s, err := beginStream(answer{w, http.NewResponseController(w)}, heartbeat)
	if err != nil {
		return nil, ErrNotStreamable.WithCause(err)
	}
	return s, nil
}

// describe says what a stream is, to clients and to whatever is between.
func describe(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform") // a proxy that compresses would gather events first
	h.Set("X-Accel-Buffering", "no")                 // nginx would wait for a full buffer
}

func beginStream(to wire, heartbeat time.Duration) (*Stream, error) {
	if heartbeat <= 0 {
		heartbeat = defaultHeartbeat
	}
	s := &Stream{to: to, beat: heartbeat}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retry(retryAfter)
	if err := s.flush(); err != nil {
		return nil, err
	}
	s.timer = time.AfterFunc(s.beat, s.heartbeat)
	return s, nil
}

// Send writes one event. data must be one line, as JSON is.
func (s *Stream) Send(id, event string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.pass(); err != nil {
		return err
	}
	if id != "" {
		s.field("id: ", id)
	}
	if event != "" {
		s.field("event: ", event)
	}
	s.buf.WriteString("data: ")
	s.buf.Write(data)
	s.buf.WriteString("\n\n")
	s.passed = events.Position{}
	if s.held && s.buf.Len() < holdBytes {
		return nil
	}
	s.timer.Reset(s.beat)
	return s.flush()
}

func (s *Stream) field(name, value string) {
	s.buf.WriteString(name)
	s.buf.WriteString(value)
	s.buf.WriteByte('\n')
}

// Begin tells the client where the stream begins, so that it resumes from there if it is cut off before the first event.
func (s *Stream) Begin(p events.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.pass(); err != nil {
		return err
	}
	s.mark(p)
	return s.flush()
}

// Passed notes that nothing up to the position is for this client but what was sent. The client is told with the next
// heartbeat, so that after an absence it does not have all of it looked through again.
func (s *Stream) Passed(p events.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = p
}

// Hold lets what is sent gather, because more of it is at hand. Release writes it, and from then on each event at once.
func (s *Stream) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Release ends Hold.
func (s *Stream) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if s.buf.Len() > 0 && s.pass() == nil {
		s.timer.Reset(s.beat)
		_ = s.flush() // the next one who sends is told
	}
}

// mark sets the client's last event id, and gives it no event.
func (s *Stream) mark(p events.Position) { s.buf.WriteString("id: " + p.String() + "\n\n") }

// guard has allowed asked before everything that is written. With its first error end is called, and nothing is written
// any more.
func (s *Stream) guard(allowed func() error, end func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed, s.end = allowed, end
}

// End ends the stream for a reason, which is the cause of its context's end. What it is told of the reason may still be sent.
func (s *Stream) End(why error) {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if end != nil {
		end(why)
	}
}

// pass tells whether something may be written now.
func (s *Stream) pass() error {
	if s.err == nil && s.allowed != nil {
		if s.err = s.allowed(); s.err != nil {
			s.end(s.err)
		}
	}
	return s.err
}

// broken tells whether the stream cannot be written to any more.
func (s *Stream) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// Close stops the heartbeats. Nothing is written after it.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	if s.err == nil {
		s.err = http.ErrHandlerTimeout
	}
}

func (s *Stream) retry(after time.Duration) {
	s.buf.WriteString("retry: " + strconv.FormatInt(after.Milliseconds(), 10) + "\n\n")
}

func (s *Stream) heartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pass() != nil {
		return
	}
	if s.passed.IsZero() {
		s.buf.WriteString(": \n\n")
	} else {
		s.mark(s.passed)
		s.passed = events.Position{}
	}
	if s.flush() == nil {
		s.timer.Reset(s.beat)
	}
}

// flush writes what is buffered, or remembers why it could not.
func (s *Stream) flush() error {
	s.err = s.to.write(s.buf.Bytes())
	if s.buf.Reset(); s.buf.Cap() > keepBytes {
		s.buf = bytes.Buffer{}
	}
	return s.err
}

package web

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The habits of a stream.
const (
	defaultHeartbeat = 15 * time.Second // between comments, so that proxies and clients see that it lives
	writeTimeout     = 10 * time.Second // a reader that takes nothing for so long is cut off; it resumes by its last id
	retryAfter       = 2 * time.Second  // how long a client waits before it connects again
)

// Stream writes server-sent events. It is safe for one writer and its own heartbeats.
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	beat    time.Duration

	mu      sync.Mutex
	buf     bytes.Buffer
	timer   *time.Timer
	allowed func() error // nil: for ever
	end     func(error)  // called with the error of allowed
	err     error        // of the first write that did not pass; nothing is written afterwards
}

// OpenStream begins a stream of events and its heartbeats; Close ends both. A heartbeat of zero means the default.
func OpenStream(w http.ResponseWriter, heartbeat time.Duration) (*Stream, error) {
	if heartbeat <= 0 {
		heartbeat = defaultHeartbeat
	}
	s := &Stream{w: w, control: http.NewResponseController(w), beat: heartbeat}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would wait for a full buffer
	w.WriteHeader(http.StatusOK)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retry(retryAfter)
	if err := s.flush(); err != nil {
		return nil, ErrNotStreamable.WithCause(err)
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
		s.buf.WriteString("id: " + id + "\n")
	}
	if event != "" {
		s.buf.WriteString("event: " + event + "\n")
	}
	s.buf.WriteString("data: ")
	s.buf.Write(data)
	s.buf.WriteString("\n\n")
	s.timer.Reset(s.beat)
	return s.flush()
}

// guard has allowed asked before everything that is written. With its first error end is called, and nothing is written
// any more.
func (s *Stream) guard(allowed func() error, end func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed, s.end = allowed, end
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
	s.buf.WriteString(": \n\n")
	if s.flush() == nil {
		s.timer.Reset(s.beat)
	}
}

// flush writes what is buffered, or remembers why it could not.
func (s *Stream) flush() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has one; those of servers do
	_, s.err = s.w.Write(s.buf.Bytes())
	if s.err == nil {
		s.err = s.control.Flush()
	}
	s.buf.Reset()
	return s.err
}

package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	requestTimeout = 5 * time.Second // without any message of an answer; the first tries wait for less
	firstTimeout   = time.Second
	requestTries   = 6
	retryWait      = 100 * time.Millisecond

	readConnections = 4 // that questions take turns on
)

// requests asks questions that are answered with a stream of messages, over one subscription of each connection for all of
// them.
type requests struct {
	conns  []*nats.Conn
	prefix string // of reply subjects

	mu   sync.Mutex
	next uint64
	open map[uint64]*request
}

// request collects the messages of one answer.
type request struct {
	mu    sync.Mutex
	msgs  []*nats.Msg
	err   error
	ready chan struct{}
}

func newRequests(conns []*nats.Conn) (*requests, error) {
	r := &requests{conns: conns, prefix: nats.NewInbox() + ".", open: map[uint64]*request{}}
	for i, conn := range conns {
		sub, err := conn.Subscribe(r.replies(i)+"*", r.receive)
		if err == nil {
			err = sub.SetPendingLimits(-1, -1) // what is asked for is bounded by max_bytes
		}
		if err != nil {
			return nil, fmt.Errorf("subscribe to answers: %w", err)
		}
	}
	return r, nil
}

// replies is where the answers to one connection go.
func (r *requests) replies(conn int) string { return r.prefix + strconv.Itoa(conn) + "." }

func (r *requests) receive(m *nats.Msg) {
	token, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 36, 64)
	if err != nil {
		return
	}
	r.mu.Lock()
	q := r.open[token]
	r.mu.Unlock()
	if q != nil {
		q.add(m, nil)
	}
}

func (q *request) add(m *nats.Msg, err error) {
	q.mu.Lock()
	if m != nil {
		q.msgs = append(q.msgs, m)
	}
	if err != nil {
		q.err = err
	}
	q.mu.Unlock()
	run.Signal(q.ready)
}

func (q *request) take() ([]*nats.Msg, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	msgs := q.msgs
	q.msgs = nil
	return msgs, q.err
}

// failAll ends every question under way.
func (r *requests) failAll(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.open {
		q.add(nil, err)
	}
}

// ask sends body and gives every message of the answer to each, until each says that it was the last. It tries again from the
// beginning when the connection breaks or no server answers; again is called before each further try.
func (r *requests) ask(ctx context.Context, subject string, body any, again func(), each func(*nats.Msg) (last bool, err error)) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	for try := 1; ; try++ {
		err := r.once(ctx, subject, data, min(requestTimeout, time.Duration(try)*firstTimeout), each)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, refused := errors.AsType[*apiError](err); refused {
			return ErrUnavailable.WithCause(err)
		}
		if try == requestTries || errors.Is(err, nats.ErrConnectionClosed) {
			return ErrUnavailable.WithCause(err)
		}
		if err := run.Pause(ctx, time.Duration(try)*retryWait); err != nil {
			return err
		}
		again()
	}
}

func (r *requests) once(ctx context.Context, subject string, data []byte, patience time.Duration, each func(*nats.Msg) (bool, error)) error {
	q := &request{ready: make(chan struct{}, 1)}
	r.mu.Lock()
	r.next++
	token := r.next
	r.open[token] = q
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.open, token)
		r.mu.Unlock()
	}()
	n := int(token % uint64(len(r.conns))) //nolint:gosec // a few
	if err := r.conns[n].PublishRequest(subject, r.replies(n)+strconv.FormatUint(token, 36), data); err != nil {
		return err
	}
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			return nats.ErrTimeout
		case <-q.ready:
		}
		msgs, err := q.take()
		for _, m := range msgs {
			if m.Header.Get(headerStatus) == statusNoResponders {
				return errNoResponders
			}
			if last, err := each(m); last || err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		quiet.Reset(patience)
	}
}

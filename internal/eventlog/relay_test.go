package eventlog_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// relay is a TCP proxy with faults.
type relay struct {
	listener net.Listener
	upstream string
	mute     atomic.Bool            // answers of the server are lost
	cutAt    atomic.Pointer[[]byte] // the connection breaks before these bytes pass to the server
	conns    map[net.Conn]struct{}  // both sides
	mu       sync.Mutex
	wg       sync.WaitGroup
}

func newRelay(tb testing.TB, upstream string) *relay {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{listener: l, upstream: strings.TrimPrefix(upstream, "nats://"), conns: map[net.Conn]struct{}{}}
	r.wg.Go(r.accept)
	tb.Cleanup(func() { _ = l.Close(); r.cut(); r.wg.Wait() })
	return r
}

func (r *relay) url() string { return "nats://" + r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.mu.Lock()
		r.conns[client], r.conns[server] = struct{}{}, struct{}{}
		r.mu.Unlock()
		r.wg.Go(func() { r.pump(client, server, true) })
		r.wg.Go(func() { r.pump(server, client, false) })
	}
}

func (r *relay) pump(from, to net.Conn, toServer bool) {
	defer func() {
		_, _ = from.Close(), to.Close()
		r.mu.Lock()
		delete(r.conns, from)
		r.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		chunk := buf[:n]
		if !toServer && r.mute.Load() {
			chunk = nil
		}
		if at := r.cutAt.Load(); toServer && at != nil {
			if i := bytes.Index(chunk, *at); i >= 0 && r.cutAt.CompareAndSwap(at, nil) {
				_, _ = to.Write(chunk[:i])
				return
			}
		}
		if _, werr := to.Write(chunk); werr != nil || err != nil {
			return
		}
	}
}

// cut breaks every connection.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
}

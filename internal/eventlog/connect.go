package eventlog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	openTimeout = 15 * time.Second // how long opening may wait for a server
	dialTimeout = 3 * time.Second
)

// signals tells what happens to the connection.
type signals struct{ lost, back chan struct{} }

func newSignals() *signals {
	return &signals{lost: make(chan struct{}, 1), back: make(chan struct{}, 1)}
}

func (l *Log) connect(ctx context.Context, s *signals) (*nats.Conn, error) {
	life := context.WithoutCancel(ctx) // the handlers outlive the opening
	options := []nats.Option{
		nats.Name("tidemark"),
		nats.Timeout(dialTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		// A write must never wait in a buffer for a server that comes back: its caller has been told by then that the outcome
		// is unknown.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			run.Signal(s.lost)
			if err != nil {
				l.logger.WarnContext(life, "connection to the log lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			run.Signal(s.back)
			l.logger.InfoContext(life, "connection to the log is back", "server", c.ConnectedServerName())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) && sub != nil && strings.HasPrefix(sub.Subject, "live.") {
				run.Signal(s.back) // the hub reads what it missed
				return
			}
			l.logger.WarnContext(life, "connection to the log", "error", err)
		}),
	}
	if l.server != nil {
		return nats.Connect("", append(options, nats.InProcessServer(l.server.server))...)
	}
	for {
		c, err := nats.Connect(l.config.URL, options...)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, nats.ErrNoServers) && !errors.Is(err, nats.ErrTimeout) {
			return nil, ErrUnavailable.WithCause(fmt.Errorf("connect to NATS at %s: %w", redacted(l.config.URL), err)).
				WithHint("check the URL and its credentials")
		}
		select {
		case <-ctx.Done():
			return nil, ErrUnavailable.WithCause(fmt.Errorf("connect to NATS at %s: %w", redacted(l.config.URL), err)).
				WithHint("is a nats-server with JetStream running there?")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// redacted is the URL without its password.
func redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i, p := range parts {
		if u, err := url.Parse(strings.TrimSpace(p)); err == nil {
			parts[i] = u.Redacted()
		}
	}
	return strings.Join(parts, ",")
}

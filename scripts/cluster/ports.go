package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// The ports of a cluster that may have any. A process that was killed binds its port again, so it must not be one that
// the system gives to outgoing connections: some client would have taken it meanwhile.
const (
	lowestPort  = 10_000
	highestPort = 65_535
	portTries   = 1_000
)

// ephemeralFile tells on Linux from which ports the system takes those of outgoing connections.
const ephemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"

// ephemeral are the first and the last port of outgoing connections.
func ephemeral() (first, last int) {
	raw, err := os.ReadFile(ephemeralFile)
	if err == nil {
		_, err = fmt.Sscan(string(raw), &first, &last)
	}
	if err != nil {
		return 49_152, 65_535 // where IANA wants them, and where they are on other systems
	}
	return first, last
}

// ports gives one port for each target and two for each nats-server. Those of the targets begin with first, unless that
// is 0; all others are free ones.
func (c *cluster) ports(ctx context.Context, first int) ([]int, error) {
	out := make([]int, 0, len(targets)+2*nodes)
	var held []net.Listener // so that no port is given twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for i := range cap(out) {
		var l net.Listener
		var err error
		if first > 0 && i < len(targets) {
			if l, err = listen(ctx, first+i); err != nil {
				return nil, fmt.Errorf("find a port: %w; give another --port", err)
			}
		} else if l, err = listenAnywhere(ctx); err != nil {
			return nil, fmt.Errorf("find a port: %w", err)
		}
		held = append(held, l)
		out = append(out, l.Addr().(*net.TCPAddr).Port) //nolint:errcheck,forcetypeassert // a TCP listener has a TCP address
	}
	return out, nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

// listenAnywhere finds a free port beside those of outgoing connections. Where these are nearly all, any has to do.
func listenAnywhere(ctx context.Context) (net.Listener, error) {
	first, last := ephemeral()
	below, above := max(0, first-lowestPort), max(0, highestPort-last)
	if below+above < portTries {
		return listen(ctx, 0)
	}
	var all error
	for range portTries {
		port := lowestPort + rand.IntN(below+above) //nolint:gosec // any will do
		if port >= first {
			port += last + 1 - first
		}
		l, err := listen(ctx, port)
		if err == nil {
			return l, nil
		}
		all = err
	}
	return nil, errors.Join(errors.New("none of many is free"), all)
}

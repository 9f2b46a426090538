package eventlog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	suite(t, open(t, eventlog.Config{Dir: t.TempDir()}))
}

func TestExternal(t *testing.T) {
	t.Parallel()
	suite(t, open(t, eventlog.Config{URL: testkit.NATS(t).ClientURL(), Partitions: 8}))
}

// On a cluster every case runs while the stream's leader is killed, and while it comes back.
func TestCluster(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts three nats-server processes")
	}
	c := startCluster(t)
	l := patient{open(t, eventlog.Config{URL: c.url(), Replicas: 3})}
	suiteWhile(t, l, "calm", func() {})
	down := c.leader(t)
	suiteWhile(t, l, "killed", func() {
		if err := l.Wait(t.Context(), l.Head()+100); err != nil { // everybody is at work
			t.Error(err)
		}
		down.kill()
		c.leader(t)
	})
	suiteWhile(t, l, "back", func() { down.restart(t) })
}

// suiteWhile runs every case, all of them at once and again and again, until something has happened.
func suiteWhile(t *testing.T, l log, what string, something func()) {
	t.Helper()
	happened := make(chan struct{})
	var running sync.WaitGroup
	for name, run := range cases {
		running.Go(func() {
			t.Run(name+"/"+what, func(t *testing.T) {
				for lap := 1; !t.Failed(); lap++ {
					run(t, l, fmt.Sprint(strings.ToLower(name), "-", what, lap))
					select {
					case <-happened:
						return
					default:
					}
				}
			})
		})
	}
	defer running.Wait()
	defer close(happened)
	something()
}

package eventlog_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(appendUntilKilled(dir)) // this process is the one that a crash test kills
	}
	code := m.Run()
	removeServerBinary()
	if code == 0 {
		if err := goleak.Find(
			// The server keeps one clock for all servers of the process.
			goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.init.0.func1"),
			// The fault proxy leaves both ends of a broken connection behind: who gives and who takes what it passes on.
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
			goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

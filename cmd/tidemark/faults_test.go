package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

const (
	nobodyNATS     = "nats://127.0.0.1:1"
	nobodyPostgres = "postgres://tidemark@127.0.0.1:1/tidemark?connect_timeout=1"
)

// file is a file of the test with this content.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused expects that the program ends with a code, and that what it says has all the words and no stack.
func refused(t *testing.T, got testkit.Result, code int, words ...string) {
	t.Helper()
	if got.Code != code {
		t.Errorf("exit code %d, want %d", got.Code, code)
	}
	for _, w := range words {
		if !strings.Contains(got.Stderr, w) {
			t.Errorf("it does not say %q", w)
		}
	}
	if strings.Contains(got.Stderr, "goroutine ") {
		t.Error("it panicked")
	}
	if t.Failed() {
		t.Logf("it said:\n%s%s", got.Stdout, got.Stderr)
	}
}

// What cannot work is refused at the start: with everything that is wrong, what to do, and a code that scripts can use.
func TestRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	const free = "127.0.0.1:0"
	for name, c := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"an unknown flag":    {[]string{"serve", "--nope"}, exitUsage, []string{"unknown flag --nope", "--help"}},
		"an unknown command": {[]string{"sreve"}, exitUsage, []string{"sreve", "--help"}},
		"everything wrong": {
			[]string{"serve", "--targets", "api,chta", "--listen", "8080", "--nats", "127.0.0.1", "--postgres", "localhost", "--log-level", "loud", "--replicas", "2", "--trusted-proxies", "10.0.0.0/8,proxy", "--drain-delay=-1s"},
			exitUsage,
			[]string{`"chta" is none of`, `listen: "8080"`, "nats: ", "postgres: not a URL such as", "log-level: ", "replicas: 2", `trusted-proxies: "proxy"`, "drain-delay: "},
		},
		"an unknown setting": {
			[]string{"serve", "--config", file(t, "c.yaml", "listne: 127.0.0.1:80\n")},
			exitUsage,
			[]string{`"listne" is no setting`, "serve --help"},
		},
		"a setting of another type": {
			[]string{"serve", "--config", file(t, "c.yaml", "rate-limit: fast\n")},
			exitUsage,
			[]string{"rate-limit", "fast"},
		},
		"no YAML": {
			[]string{"serve", "--config", file(t, "c.yaml", "listen: [\n")},
			exitUsage,
			[]string{"read the configuration file"},
		},
		"no configuration file": {
			[]string{"serve", "--config", filepath.Join(t.TempDir(), "none.yaml")},
			exitUsage,
			[]string{"none.yaml", "no such file"},
		},
		"a data directory below a file": {
			[]string{"serve", "--listen", free, "--data", filepath.Join(file(t, "f", ""), "data")},
			exitUsage,
			[]string{"cannot make", "--data DIR"},
		},
		"a port in use": {
			[]string{"serve", "--targets", "chat", "--data", testkit.Dir(t), "--listen", taken.Addr().String()},
			exitUnavailable,
			[]string{"cannot listen on " + taken.Addr().String(), "--listen"},
		},
		"no NATS": {
			[]string{"serve", "--targets", "chat", "--listen", free, "--data", t.TempDir(), "--nats", nobodyNATS},
			exitUnavailable,
			[]string{nobodyNATS, "is a nats-server with JetStream running there?"},
		},
		"no server to ask": {
			[]string{"lag", "--data", t.TempDir()}, exitUnavailable, []string{"no server has been started", "tidemark serve --data"},
		},
		"a server that is gone": {
			[]string{"lag", "--url", "http://127.0.0.1:1", "--key", "k"}, exitUnavailable, []string{"no server answers at http://127.0.0.1:1", "is 'tidemark serve' running?"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, tidemark(t).Run(t, c.args...), c.code, c.words...)
		})
	}
}

// Root may write everywhere, so this looks at what only others can see.
func TestDataDirectoryThatMayNotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if probe, err := os.CreateTemp(dir, "probe"); err == nil { // we are root
		_ = probe.Close()
		dir = "/proc/self/fdinfo" // of which nobody can make files
		if _, err := os.Stat(dir); err != nil {
			dir = "/dev/fd" // where there is no /proc
		}
	}
	got := tidemark(t).Run(t, "serve", "--listen", "127.0.0.1:0", "--data", dir)
	refused(t, got, exitUsage, "cannot write in "+dir, "--data DIR")
}

// A second process on a data directory, or one that wants another log there, is turned away, and the first goes on.
func TestDataDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	first := serve(t, "--targets", "chat", "--partitions", "8")
	again := []string{"serve", "--targets", "chat", "--listen", "127.0.0.1:0", "--data", first.Data}
	refused(t, tidemark(t).Run(t, again...), exitUnavailable, "in use by process "+strconv.Itoa(first.PID()), "--data")
	if ready := first.OK(t, "GET", "/readyz", nil); ready.Get("ready") != true {
		t.Errorf("%s", ready.Raw)
	}
	if code := first.Stop(t); code != exitOK {
		t.Errorf("it stopped with %d:\n%s", code, first.Said())
	}
	refused(t, tidemark(t).Run(t, append(again, "--partitions", "2")...), exitUsage, "the log has 8 partitions and 2 were asked for", "--partitions")
	tidemark(t).Serve(t, first.Data, "--targets", "chat") // who does not say takes what is there
}

package searchengine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// childDir tells this test binary to be the one that is killed.
const childDir = "TIDEMARK_TEST_WARDEN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if _, err := launch(os.DevNull, dir, "/bin/sh", "-c", "echo $$ >"+dir+"/pid; exec sleep 1000"); err != nil {
			fmt.Fprintln(os.Stdout, err)
		}
		fmt.Fprintln(os.Stdout, "launched")
		select {}
	}
	testkit.Main(m)
}

// What was started ends with a test binary that is killed, and leaves no directory.
func TestNothingOutlivesTheTests(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "program")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "launched\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	var pid int
	testkit.Until(t, "the program runs", func() bool {
		raw, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			_, err = fmt.Sscan(string(raw), &pid)
		}
		return err == nil && syscall.Kill(pid, 0) == nil
	})
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	testkit.Until(t, "the program is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	testkit.Until(t, "its directory is gone", func() bool { _, err := os.Stat(dir); return errors.Is(err, os.ErrNotExist) })
}

// Without Java nothing is passed over: who runs the tests is told what to install.
func TestSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	path, err := script()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, tool := range []string{"bash", "dirname"} { // all that a script needs to get as far as that
		at, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(at, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "bash"), path, "fetch", OpenSearch)
	cmd.Env = []string{"PATH=" + bin}
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() == 0 || !strings.Contains(string(out), "apt-get install default-jre-headless maven") {
		t.Errorf("%v: %s", err, out)
	}
}

// A program that was killed has everything when it runs again, at the same address.
func TestKilledAndRunAgain(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	for _, kind := range []string{Elasticsearch, OpenSearch} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := Start(t, kind)
			at := p.URL + "/kept/_doc/1"
			if status, body := request(t, http.MethodPut, at, `{"a":1}`); status != http.StatusCreated {
				t.Fatalf("%d %s", status, body)
			}
			p.Kill()
			if err := p.ask(t.Context(), http.DefaultClient); err == nil {
				t.Fatal("it answers when it was killed")
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if status, body := request(t, http.MethodGet, at, ""); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(said)
}

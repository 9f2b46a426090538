package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// namespaceVariable tells the test that it runs as root of a namespace already.
const namespaceVariable = "TIDEMARK_TEST_NAMESPACE"

// A disk that is full: writes are refused with a clear answer, reads of the log go on or say that it is away, nothing
// that was acknowledged is lost, and once there is space again the same process takes writes again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	data := filepath.Join(testkit.Dir(t), "disk")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=24m")
	if errors.Is(err, syscall.EPERM) && os.Getenv(namespaceVariable) == "" {
		inNamespace(t)
		return
	}
	if err != nil {
		t.Fatalf("make a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := tidemark(t).Serve(t, data, "--targets", "chat,api", "--postgres", nobodyPostgres)
	v := visit(t, s)
	filler := filepath.Join(data, "filler")
	fill(t, filler)
	post := func(name string) testkit.Answer {
		text := name + strings.Repeat(".", 9000)
		a, err := v.chat.Do(t.Context(), "POST", "/chat/v1/messages", map[string]any{"id": name, "text": text})
		if err != nil {
			t.Fatal(err)
		}
		if a.Status == http.StatusCreated {
			v.texts = append(v.texts, text)
		}
		return a
	}
	var last testkit.Answer
	for n := 0; last.Status < 300; n++ {
		last = post(fmt.Sprint("fills-", n))
	}
	if last.Status != http.StatusServiceUnavailable || last.Str("code") != "log_unavailable" && last.Str("code") != "outcome_unknown" {
		t.Errorf("on a full disk the answer is %d %s", last.Status, last.Raw)
	}
	filled := len(v.texts)
	t.Logf("on a full disk after %d messages: %s", filled, last.Raw)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "there is space again, and writes are taken", func() bool { return post("after").Status == http.StatusCreated })
	for _, restarted := range []bool{false, true} {
		if restarted {
			if code := s.Stop(t); code != exitOK {
				t.Errorf("it stopped with %d:\n%s", code, s.Said())
			}
			s = tidemark(t).Serve(t, data, "--targets", "chat,api", "--postgres", nobodyPostgres)
			v.chat = s.With(v.chat.Key)
		}
		a := v.chat.OK(t, "GET", "/chat/v1/messages?limit=200", nil)
		var got []string
		for i := 0; a.Str(fmt.Sprintf("items.%d.id", i)) != ""; i++ {
			text := a.Str(fmt.Sprintf("items.%d.text", i))
			if unknown := fmt.Sprintf("fills-%d.", filled); !strings.HasPrefix(text, unknown) { // it may be there or not
				got = append(got, text)
			}
		}
		if !slices.Equal(got, v.texts) {
			t.Errorf("restarted: %t: of %d acknowledged messages %d are there", restarted, len(v.texts), len(got))
		}
	}
}

// inNamespace runs the test again as root of a user and mount namespace, in which anybody may make a small disk.
func inNamespace(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	again.Env = append(os.Environ(), namespaceVariable+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var said bytes.Buffer
	again.Stdout, again.Stderr = &said, &said
	if err := again.Start(); err != nil {
		if testing.Short() {
			t.Skipf("-short: a small disk can be made neither here nor in a namespace: %v", err)
		}
		t.Fatalf("a small disk can be made neither here nor in a namespace: %v; allow unprivileged user namespaces or run it as root", err)
	}
	if err := again.Wait(); err != nil {
		t.Fatalf("as root of a namespace: %v\n%s", err, &said)
	}
	if !strings.Contains(said.String(), "--- PASS: "+t.Name()) {
		t.Fatalf("as root of a namespace it did not run:\n%s", &said)
	}
}

// fill leaves little space beside a file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	end, err := f.Seek(0, 1)
	if err == nil {
		err = f.Truncate(max(0, end-512<<10))
	}
	if err != nil {
		t.Fatal(err)
	}
}

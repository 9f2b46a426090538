package postgres_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// orphan is a server whose Tidemark was killed. It gives the pid of the server.
func orphan(t *testing.T, dir string) int {
	t.Helper()
	child := osexec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	kill(t, child.Process.Pid)
	_ = child.Wait()
	if err != nil {
		t.Fatalf("the child said %q: %v", line, err)
	}
	text, err := os.ReadFile(pidFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func pidFile(dir string) string { return filepath.Join(dir, "postgres", "data", "postmaster.pid") }

func TestRestartAfterKill(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Config{Dir: testkit.Dir(t)})
	exec(t, s, "CREATE TABLE kept AS SELECT 'yes' AS answer")
	for round := 1; round <= 2; round++ {
		before := s.State().PID
		kill(t, before)
		after := await(t, s, func(st postgres.State) bool { return st.Restarts == round })
		if after.Phase != postgres.Running || after.PID == before || after.Err != nil {
			t.Errorf("round %d: %+v, was process %d", round, after, before)
		}
		if got := ask(t, s, "SELECT answer FROM kept"); got != "yes" {
			t.Errorf("round %d: answer = %q", round, got)
		}
	}
}

func TestAPoolSurvivesTheRestart(t *testing.T) {
	t.Parallel()
	s := start(t, postgres.Config{Dir: testkit.Dir(t)})
	pool, err := postgres.Connect(t.Context(), s.URL(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	kill(t, s.State().PID)
	await(t, s, func(st postgres.State) bool { return st.Restarts == 1 })
	pool.Reset() // what idles in it is dead, and one query each would find out
	if err := pool.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	pid := orphan(t, dir)
	link := filepath.Join(testkit.Dir(t), "link") // known again by whatever name
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := start(t, postgres.Config{Dir: link})
	if got := s.State(); got.PID != pid || !got.Adopted {
		t.Errorf("%+v, want process %d adopted", got, pid)
	}
	if got := ask(t, s, "SELECT 'up'"); got != "up" {
		t.Error(got)
	}
	// It is looked after like a child, although nobody tells us when it ends.
	kill(t, pid)
	got := await(t, s, func(st postgres.State) bool { return st.Restarts == 1 })
	if got.PID == pid || got.Adopted {
		t.Errorf("after the kill: %+v", got)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(pidFile(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server still runs: %v", err)
	}
}

func TestStopEndsAnAdoptedServer(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	orphan(t, dir)
	s := start(t, postgres.Config{Dir: dir})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(pidFile(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server still runs: %v", err)
	}
}

func TestStartAfterEverythingWasKilled(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	kill(t, orphan(t, dir))
	s := start(t, postgres.Config{Dir: dir})
	if got := s.State(); got.Adopted {
		t.Errorf("adopted a dead server: %+v", got)
	}
}

// After a reboot, the pid in a stale file may belong to anybody, here to another process of the server's own user,
// at which PostgreSQL gives up and we must not send signals.
func TestStalePidOfAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	s := start(t, postgres.Config{Dir: dir})
	info, err := os.Stat(filepath.Join(dir, "postgres", "data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	bystander := osexec.CommandContext(t.Context(), "cat")
	if os.Geteuid() == 0 {
		stat, _ := info.Sys().(*syscall.Stat_t)
		bystander.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stat.Uid, Gid: stat.Gid}}
	}
	in, err := bystander.StdinPipe() // it ends when this is closed
	if err != nil {
		t.Fatal(err)
	}
	bystander.Dir = "/"
	if err := bystander.Start(); err != nil {
		t.Fatal(err)
	}
	stale := fmt.Sprintf("%d\n%s\n1\n5432\n%s\n", bystander.Process.Pid, filepath.Dir(pidFile(dir)), filepath.Join(dir, "postgres"))
	if err := os.WriteFile(pidFile(dir), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := bystander.Wait(); err != nil {
		t.Errorf("the bystander was hurt: %v", err)
	}
}

func TestTheDirectoryHasOneOwner(t *testing.T) {
	t.Parallel()
	dir := testkit.Dir(t)
	s := start(t, postgres.Config{Dir: dir})
	_, err := postgres.Start(t.Context(), postgres.Config{Dir: dir})
	if !errors.Is(err, postgres.ErrInUse) || !strings.Contains(err.Error(), "stop the other tidemark") {
		t.Errorf("a second owner: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	start(t, postgres.Config{Dir: dir})
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running postmaster: our child, or one that we adopted.
type process struct {
	pid     int
	adopted bool
	exited  chan struct{} // closed when it is gone
	result  error         // of our child; to be read when exited is closed
	log     string
	logFrom int64 // where this process's part of the log begins
}

// launch starts a postmaster on the cluster.
func (s *Server) launch(ctx context.Context) (*process, error) {
	out, from, err := s.openLog()
	if err != nil {
		return nil, err
	}
	defer out.Close() // the server has it now
	// The server outlives ctx: it is stopped by signals, in its own way.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.program.path("postgres"), "-D", s.dataPath()) //nolint:gosec // as in inspect
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.home, environment(), s.owner.attributes()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, ErrNotReady.WithCause(fmt.Errorf("start %s: %w", cmd.Path, err)).WithHint("see %s", s.logPath())
	}
	p := &process{pid: cmd.Process.Pid, exited: make(chan struct{}), log: s.logPath(), logFrom: from}
	go func() {
		p.result = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// openLog opens the server's log, and moves a large one aside.
func (s *Server) openLog() (*os.File, int64, error) {
	if info, err := os.Stat(s.logPath()); err == nil && info.Size() > logLimit {
		if err := os.Rename(s.logPath(), s.logPath()+".1"); err != nil {
			return nil, 0, unusable(err, s.home)
		}
	}
	out, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, unusable(err, s.home)
	}
	end, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(unusable(err, s.home), out.Close())
	}
	return out, end, nil
}

// adopt returns the postmaster that already runs on the cluster, nil when there is none: a Tidemark that was killed
// leaves its server behind. One that listens where we would not find it is stopped.
func (s *Server) adopt(ctx context.Context) (*process, error) {
	path := filepath.Join(s.dataPath(), "postmaster.pid")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(err, s.home)
	}
	// Line 1 is the pid, line 5 the directory of the socket; a file cut short by a crash has fewer.
	lines := append(strings.Split(string(text), "\n"), "", "", "", "", "")
	pid, _ := strconv.Atoi(strings.TrimSpace(lines[0])) // 0 when it is no number
	if pid <= 1 || !alive(pid) {
		return nil, nil // stale: PostgreSQL sees that by itself, and checks for leftover backends
	}
	if !s.serves(ctx, pid) {
		// Stale too, but the pid is now another process, or one that nobody has reaped: PostgreSQL would give up.
		s.cfg.Logger.WarnContext(ctx, "removing a stale postmaster.pid", "pid", pid)
		if err := os.Remove(path); err != nil {
			return nil, unusable(err, s.home)
		}
		return nil, nil
	}
	p := &process{pid: pid, adopted: true, exited: make(chan struct{}), log: s.logPath()}
	if info, err := os.Stat(s.logPath()); err == nil {
		p.logFrom = info.Size()
	}
	go p.watch()
	if sockets := strings.TrimSpace(lines[4]); sockets != "" && sockets != s.sockets {
		s.cfg.Logger.WarnContext(ctx, "stopping a server with another socket", "pid", pid, "sockets", sockets)
		return nil, p.stop(ctx)
	}
	return p, nil
}

// serves tells whether the process is a postmaster of our cluster.
func (s *Server) serves(ctx context.Context, pid int) bool {
	if runtime.GOOS == "linux" {
		return strings.Contains(commandLine(pid), s.dataPath()+"\x00")
	}
	out, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // a number
	return err == nil && strings.Contains(string(out), s.dataPath())
}

// alive tells whether there is such a process, and not only its entry in the process table.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	return runtime.GOOS != "linux" || commandLine(pid) != "" // a zombie has none
}

// commandLine asks Linux. What else is known of a process of another user is kept from root in a container.
func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(text)
}

// watch notices the end of an adopted process: nobody tells us, it is not our child.
func (p *process) watch() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for alive(p.pid) {
		<-tick.C
	}
	close(p.exited)
}

// stop ends the process: politely, then firmly, then by force. An ended ctx skips the politeness.
func (p *process) stop(ctx context.Context) error {
	select {
	case <-p.exited:
		return nil // the pid may be another process by now
	default:
	}
	hurry := ctx.Done()
	for _, step := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{
		{syscall.SIGINT, 30 * time.Second},  // roll back, write a checkpoint
		{syscall.SIGQUIT, 10 * time.Second}, // drop everything, recover at the next start
		{syscall.SIGKILL, 5 * time.Second},
	} {
		if err := syscall.Kill(p.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop postgres, process %d: %w", p.pid, err)
		}
		timer := time.NewTimer(step.patience)
		select {
		case <-p.exited:
			timer.Stop()
			return nil
		case <-hurry:
			hurry = nil
		case <-timer.C:
		}
		timer.Stop()
	}
	return fmt.Errorf("postgres, process %d, does not end", p.pid)
}

// status says how it ended.
func (p *process) status() string {
	if p.result != nil {
		return fmt.Sprintf("process %d ended: %v", p.pid, p.result)
	}
	return fmt.Sprintf("process %d ended", p.pid)
}

// logTail is the last of what this process wrote.
func (p *process) logTail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := f.Seek(p.logFrom, io.SeekStart); err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return err.Error()
	}
	return lastLines(text, 3)
}

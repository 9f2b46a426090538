package searchengine

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// warden runs a program in its own group of processes, and ends with it. When it is told to, or when whoever started it is
// gone, however that went, it kills the group; in the second case nobody else removes the directory.
const warden = `dir=$1; shift
("$@"; kill -9 0) </dev/null &
read -r told || rm -rf -- "$dir"
kill -9 0`

// process is a program that does not outlive this process.
type process struct {
	pipe io.WriteCloser // the system closes it, too, when this process is killed
	gone chan struct{}  // closed when the group has ended
}

// launch starts a program that has its files in a directory; what it says goes to a file.
func launch(log, dir, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()                                                                 // the program has its own
	cmd := exec.Command("/bin/sh", append([]string{"-c", warden, "warden", dir, program}, args...)...) //nolint:gosec,noctx // a script of ours; kill ends it
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us alone
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{pipe: pipe, gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // it was killed, as a rule
		close(p.gone)
	}()
	return p, nil
}

// kill ends the group at once.
func (p *process) kill() {
	_, _ = io.WriteString(p.pipe, "kill\n") // it may have ended by itself
	_ = p.pipe.Close()
	<-p.gone
}

package docs_test

import (
	"bytes"
	"errors"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// endOfBlock is printed behind each block of the tour.
const endOfBlock = "=== end of block ==="

// personWrites is what the README has a person write in the browser.
var personWrites = regexp.MustCompile(`(?s)write\s"([^"]+)"`)

// testTour pastes the README's tour into a shell, block by block, and looks whether it prints what the README says. What the
// README has a person do in a browser meanwhile is done in one, the restart of the server with it. It gives the server that
// runs in the end.
func testTour(t *testing.T, program testkit.Program, server *testkit.Process, dir string) *testkit.Process {
	t.Helper()
	tour := section(t, read(t, "README.md"), "## A tour of two minutes")
	var script strings.Builder
	var wants [][]string // for each block of commands, the lines that are promised
	meets := -1          // the block that waits for the person
	for _, b := range blocks(tour) {
		switch b.language {
		case "sh":
			if meets < 0 && strings.Contains(b.text, "LIVE=") {
				meets = len(wants)
			}
			script.WriteString(b.text + "echo '" + endOfBlock + "'\n")
			wants = append(wants, nil)
		case "json", "text":
			wants[len(wants)-1] = strings.Split(strings.TrimSpace(b.text), "\n")
		}
	}
	var writes []string
	for _, m := range personWrites.FindAllStringSubmatch(tour, -1) {
		writes = append(writes, m[1])
	}
	if len(wants) < 7 || meets < 0 || len(writes) != 2 || !strings.Contains(tour, "/demo/") {
		t.Fatalf("the tour has %d blocks, the person comes in block %d and writes %q: the test no longer finds them", len(wants), meets, writes)
	}
	shell := startShell(t, dir, script.String())
	shell.comesTo(t, meets)
	server = meet(t, program, server, writes)
	shell.ends(t)
	answers := strings.Split(shell.out.String(), endOfBlock+"\n")
	for i, want := range wants {
		for _, line := range want {
			if !matches(answers[i], line) {
				t.Errorf("the README promises\n%s\nand there is\n%s", line, answers[i])
			}
		}
	}
	return server
}

// meet is the person in the browser: they write, are answered, write while the server is away, and are answered again. They
// see every word once, in its order.
func meet(t *testing.T, program testkit.Program, server *testkit.Process, writes []string) *testkit.Process {
	t.Helper()
	person := newPerson(t)
	person.opens(server.URL + "/demo/")
	person.writes(writes[0])
	told := said(t, "live-1")
	person.sees("you: "+writes[0], "desk: "+told)
	if code := server.Stop(t); code != 0 {
		t.Errorf("the server stopped with %d", code)
	}
	person.writes(writes[1])
	person.waitsFor(writes[1])
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	server = program.Serve(t, server.Data, "--listen", address.Host)
	person.sees("you: "+writes[0], "desk: "+told, "you: "+writes[1], "desk: "+said(t, "live-2"))
	return server
}

// said is what the README has the agent say under an idempotency key.
func said(t *testing.T, key string) string {
	t.Helper()
	all := found(read(t, "README.md"), `Idempotency-Key: `+key+`' -d '\{"text":"([^"]+)"`)
	if len(all) != 1 {
		t.Fatalf("under %s the README says %q", key, all)
	}
	return all[0]
}

// shell runs the tour's commands.
type shell struct {
	out, complaints tape
	done            chan struct{}
	err             error
}

func startShell(t *testing.T, dir, script string) *shell {
	t.Helper()
	s := &shell{done: make(chan struct{})}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &s.out, &s.complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.err = cmd.Wait(); close(s.done) }()
	return s
}

// comesTo waits until so many blocks are done.
func (s *shell) comesTo(t *testing.T, block int) {
	t.Helper()
	testkit.Until(t, "the tour comes to the demo page", func() bool {
		select {
		case <-s.done:
			s.fails(t, errors.Join(s.err, errors.New("it ends before the person comes")))
		default:
		}
		return strings.Count(s.out.String(), endOfBlock) >= block
	})
}

func (s *shell) ends(t *testing.T) {
	t.Helper()
	testkit.Until(t, "the tour ends", func() bool {
		select {
		case <-s.done:
			return true
		default:
			return false
		}
	})
	if s.err != nil {
		s.fails(t, s.err)
	}
}

func (s *shell) fails(t *testing.T, err error) {
	t.Helper()
	t.Fatalf("the tour fails: %v\n%s\n%s", err, s.out.String(), s.complaints.String())
}

// tape keeps what is written to it.
type tape struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *tape) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *tape) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

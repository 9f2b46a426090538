package eventlog_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// childVariable makes this test binary a process that appends to the log in the directory that it names.
const childVariable = "TIDEMARK_EVENTLOG_CHILD"

const childWriters = 24

func writerName(w int) string { return fmt.Sprint("w", w) }

// appendUntilKilled appends from many goroutines, alone and in batches, and prints each acknowledgement when it has come.
func appendUntilKilled(dir string) int {
	ctx := context.Background()
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	failed := make(chan error)
	for w := range childWriters {
		go func() {
			a := customer("o", writerName(w))
			there, err := l.Read(ctx, a, 0)
			var last uint64
			if len(there) > 0 {
				last = there[len(there)-1].Sequence
			}
			for n := len(there); err == nil; n++ {
				mine := []string{strconv.Itoa(n)}
				if w%8 == 0 {
					n++
					mine = append(mine, strconv.Itoa(n))
				}
				var seqs []uint64
				if seqs, err = l.Append(ctx, write(a, last, mine...)); err == nil {
					last = seqs[0]
					_, err = fmt.Fprintf(os.Stdout, "%d %d %d\n", w, n, last)
				}
			}
			failed <- err
		}()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	return 1
}

// The embedded server is killed at random moments under load, again and again on the same directory: every acknowledged event
// is there, once, in its place.
func TestKilledWhileAppending(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	acked := map[int]map[int]uint64{}
	for w := range childWriters {
		acked[w] = map[int]uint64{}
	}
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		stderr := &strings.Builder{}
		cmd.Stderr = stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := 100 + rand.IntN(400)
		lines := bufio.NewScanner(out)
		seen := 0
		for lines.Scan() {
			var w, n int
			var sequence uint64
			if _, err := fmt.Sscan(lines.Text(), &w, &n, &sequence); err == nil {
				acked[w][n] = sequence
			}
			if seen++; seen == kill {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		if seen < kill {
			t.Fatalf("round %d: it ended by itself after %d: %s", round, seen, stderr)
		}
		checkAcked(t, dir, acked)
	}
}

func checkAcked(t *testing.T, dir string, acked map[int]map[int]uint64) {
	t.Helper()
	l, err := eventlog.Open(t.Context(), eventlog.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for w, acks := range acked {
		there := mustRead(t, l, customer("o", writerName(w)), 0)
		for i, name := range names(there) {
			if name != strconv.Itoa(i) {
				t.Fatalf("writer %d: event %d is %s", w, i, name)
			}
		}
		for n, sequence := range acks {
			if n >= len(there) || there[n].Sequence != sequence {
				t.Fatalf("writer %d: event %d was acknowledged at %d and is not there (%d events are)", w, n, sequence, len(there))
			}
		}
	}
}

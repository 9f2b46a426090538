package blob_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/blob"
)

// childVariable makes this test binary a process that puts files in the directory that it names.
const childVariable = "TIDEMARK_BLOB_CHILD"

var longAgo = time.Date(2019, 5, 15, 12, 0, 0, 0, time.UTC)

// putUntilKilled puts files from some goroutines, and prints the hash of each once it is put.
func putUntilKilled(dir string) int {
	store, err := blob.NewDir(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				body := strings.Repeat(fmt.Sprint(rand.Uint64(), " "), 4000)
				k := key(blob.Folder{Org: "acme", ID: fmt.Sprint("c", rand.N(8))}, []byte(body))
				err := store.Put(context.Background(), k, strings.NewReader(body), int64(len(body)))
				if err == nil {
					_, err = fmt.Fprintln(os.Stdout, k.ID, k.Hash)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	return 1
}

// A process is killed at random moments while it puts files, again and again on one directory: every file that was said to
// be kept is there, and whatever has a name is whole.
func TestKilledWhilePutting(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var said []blob.Key
	for range 4 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killAfter := 5 + rand.N(40)
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ { // to its end, also what was printed before it died
			var k blob.Key
			if _, err := fmt.Sscan(lines.Text(), &k.ID, &k.Hash); err != nil || len(k.Hash) != 64 {
				continue // cut off
			}
			k.Org = "acme"
			said = append(said, k)
			if n == killAfter {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
	}
	store, err := blob.NewDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(said) < 20 {
		t.Fatalf("only %d files were put", len(said))
	}
	for _, k := range said {
		if body := read(t, store, k); key(k.Folder, body) != k {
			t.Errorf("%s/%s is not what was put", k.ID, k.Hash)
		}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "acme", "*", "*"))
	if err != nil || len(paths) < len(said)/2 {
		t.Fatalf("%d files: %v", len(paths), err)
	}
	for _, path := range paths {
		k := blob.Key{Folder: blob.Folder{Org: "acme", ID: filepath.Base(filepath.Dir(path))}, Hash: filepath.Base(path)}
		if body := read(t, store, k); key(k.Folder, body) != k {
			t.Errorf("%s has a name and is not whole", path)
		}
	}
}

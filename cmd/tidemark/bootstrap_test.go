package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// A program that starts the server learns the key as a person does: at the first start, and never again.
func TestFirstStartTellsTheKeyOnce(t *testing.T) {
	t.Parallel()
	data := testkit.Dir(t)
	for n, first := range []bool{true, false} {
		s := tidemark(t).Serve(t, data, "--json", "--postgres", nobodyPostgres)
		kept, err := os.ReadFile(filepath.Join(data, adminKeyFile))
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			URL string `json:"url"`
			Key string `json:"admin_key"`
			Org string `json:"org"`
		}
		testkit.Until(t, "it says where it is", func() bool {
			for line := range strings.Lines(s.Said()) {
				if json.Unmarshal([]byte(line), &said) == nil && said.URL != "" {
					return true
				}
			}
			return false
		})
		if told := said.Key != ""; told != first || told && (said.Key+"\n" != string(kept) || said.Org != demoOrg) {
			t.Errorf("start %d says %+v, and the key is %s", n+1, said, kept)
		}
		if info, err := os.Stat(filepath.Join(data, adminKeyFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if code := s.Stop(t); code != exitOK {
			t.Errorf("it stopped with %d:\n%s", code, s.Said())
		}
	}
}

// Of two processes that start at once on an empty log, one makes the org. The other keeps no key that opens nothing, and
// none says that it has one.
func TestWhoComesSecondHasNoKey(t *testing.T) {
	t.Parallel()
	c := config{Data: testkit.Dir(t), Targets: []string{"chat"}, Drain: time.Minute}
	d, err := openDesk(t.Context(), c, testLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	first := filepath.Join(c.Data, adminKeyFile)
	secret, err := d.makeDemo(t.Context(), first)
	if err != nil || secret == "" {
		t.Fatalf("%q, %v", secret, err)
	}
	second := filepath.Join(testkit.Dir(t), adminKeyFile)
	if secret, err := d.makeDemo(t.Context(), second); err != nil || secret != "" {
		t.Errorf("who comes second has the key %q, %v", secret, err)
	}
	if _, err := os.Stat(second); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key that opens nothing is still there: %v", err)
	}
	// A key that does open the org stays, also of who was told too late that the org is made.
	if secret, err := d.makeDemo(t.Context(), first); err != nil || secret != "" {
		t.Errorf("%q, %v", secret, err)
	}
	if kept, err := os.ReadFile(first); err != nil || strings.TrimSpace(string(kept)) != secret {
		t.Errorf("the key is gone: %q, %v", kept, err)
	}
}

// Who never had a key does not say that it is there.
func TestStartWithoutAKeySaysNothingOfIt(t *testing.T) {
	t.Parallel()
	data := testkit.Dir(t)
	s := tidemark(t).Serve(t, data, "--postgres", nobodyPostgres)
	testkit.Until(t, "it says where the key is", func() bool { return strings.Contains(s.Said(), "the admin key is in "+data) })
	if code := s.Stop(t); code != exitOK {
		t.Fatalf("it stopped with %d:\n%s", code, s.Said())
	}
	if err := os.Remove(filepath.Join(data, adminKeyFile)); err != nil {
		t.Fatal(err)
	}
	s = tidemark(t).Serve(t, data, "--postgres", nobodyPostgres)
	testkit.Until(t, "it says where it is", func() bool { return strings.Contains(s.Said(), "/docs for the API") })
	if strings.Contains(s.Said(), "admin key") {
		t.Errorf("it speaks of a key that is not there:\n%s", s.Said())
	}
}

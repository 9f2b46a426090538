package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install makes a directory with programs that only tell their version.
func install(t *testing.T, says string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s %s'\n", name, says)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindProgram(t *testing.T) {
	t.Parallel()
	old, ten, nine := install(t, "(PostgreSQL) 15.13 (Debian)"), install(t, "(PostgreSQL) 18beta1"), install(t, "(PostgreSQL) 9.6.24")
	other := install(t, "of another house")
	client := install(t, "(PostgreSQL) 19.1")
	if err := os.Remove(filepath.Join(client, "initdb")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dirs  []string
		want  int
		dir   string
		words string
	}{
		"newest wins":           {dirs: []string{nine, old, ten, client}, dir: ten},
		"the data decides":      {dirs: []string{ten, old}, want: 15, dir: old},
		"only too old":          {dirs: []string{nine}, words: "version 14 or newer is needed, here is 9 in " + nine},
		"none":                  {dirs: []string{other, client, "/nowhere"}, words: "here is none"},
		"not the one of data":   {dirs: []string{ten}, want: 15, words: "apt-get install postgresql-15"},
		"old data, old program": {dirs: []string{nine}, want: 9, dir: nine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := findProgram(t.Context(), c.dirs, c.want)
			if c.words != "" {
				if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), c.words) {
					t.Errorf("error is %v, want %q", err, c.words)
				}
				return
			}
			if err != nil || got.dir != c.dir {
				t.Errorf("got %v, %v, want %s", got, err, c.dir)
			}
		})
	}
}

func TestUsualPlacesBeginWithPath(t *testing.T) {
	t.Parallel()
	path := filepath.SplitList(os.Getenv("PATH"))
	if got := usualPlaces(); len(got) < len(path) || got[0] != path[0] {
		t.Errorf("%v does not begin with %v", got, path)
	}
}

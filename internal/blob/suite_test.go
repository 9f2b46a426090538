package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(putUntilKilled(dir))
	}
	// The client of the bucket reads its credentials from here.
	_ = os.Setenv("AWS_ACCESS_KEY_ID", "test")
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	testkit.Main(m)
}

// Both stores pass one suite: the directory is real, the bucket is one in this process.
func TestDir(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) blob.Store {
		t.Helper()
		store, err := blob.Open("file://" + t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func TestS3(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/desk/files"} {
		suite(t, func(t *testing.T) blob.Store {
			t.Helper()
			backend := s3mem.New()
			if err := backend.CreateBucket("files"); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
			t.Cleanup(server.Close)
			store, err := blob.Open("s3://files" + prefix + "?region=us-east-1&endpoint=" + server.URL)
			if err != nil {
				t.Fatal(err)
			}
			return store
		})
	}
}

func suite(t *testing.T, open func(t *testing.T) blob.Store) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, s blob.Store){
		"what is put is there": func(t *testing.T, s blob.Store) {
			t.Helper()
			for _, size := range []int{1, 5 << 10, 10 << 20} {
				body := bytes.Repeat([]byte{byte(size)}, size)
				k := put(t, s, blob.Folder{Org: "acme", ID: "c1"}, body)
				put(t, s, k.Folder, body) // again is no harm
				if got := read(t, s, k); !bytes.Equal(got, body) {
					t.Errorf("%d bytes became %d", size, len(got))
				}
			}
		},
		"a part can be read": func(t *testing.T, s blob.Store) {
			t.Helper()
			k := put(t, s, blob.Folder{Org: "acme", ID: "c1"}, []byte("0123456789"))
			file, err := s.Open(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if end, err := file.Seek(0, io.SeekEnd); err != nil || end != 10 {
				t.Errorf("ends at %d: %v", end, err)
			}
			if _, err := file.Seek(4, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			part := make([]byte, 3)
			if _, err := io.ReadFull(file, part); err != nil || string(part) != "456" {
				t.Errorf("%q %v", part, err)
			}
		},
		"a folder is deleted, and no other": func(t *testing.T, s blob.Store) {
			t.Helper()
			body := []byte("the same bytes")
			gone := []blob.Key{
				put(t, s, blob.Folder{Org: "acme", ID: "c1"}, body),
				put(t, s, blob.Folder{Org: "acme", ID: "c1"}, []byte("others")),
			}
			stay := []blob.Key{
				put(t, s, blob.Folder{Org: "acme", ID: "c11"}, body), // whose name begins alike
				put(t, s, blob.Folder{Org: "acme", ID: "c"}, body),
				put(t, s, blob.Folder{Org: "other", ID: "c1"}, body),
			}
			for range 2 { // again is no error
				if err := s.DeleteFolder(t.Context(), gone[0].Folder); err != nil {
					t.Fatal(err)
				}
			}
			for _, k := range gone {
				missing(t, s, k)
			}
			for _, k := range stay {
				read(t, s, k)
			}
			put(t, s, gone[0].Folder, body) // and it can be filled again
			read(t, s, gone[0])
		},
		"what ends early is not there": func(t *testing.T, s blob.Store) {
			t.Helper()
			k := key(blob.Folder{Org: "acme", ID: "c1"}, []byte("0123456789"))
			if err := s.Put(t.Context(), k, strings.NewReader("01234"), 10); err == nil {
				t.Error("half of a file was taken for a whole one")
			}
			if err := s.Put(t.Context(), k, io.MultiReader(strings.NewReader("01234"), iotest.ErrReader(errors.New("away"))), 10); err == nil {
				t.Error("a file that could not be read was taken")
			}
			missing(t, s, k)
		},
		"folders are listed": func(t *testing.T, s blob.Store) {
			t.Helper()
			begin := time.Now().Add(-time.Minute)
			want := map[blob.Folder]bool{{Org: "acme", ID: "c1"}: true, {Org: "acme", ID: "c11"}: true, {Org: "other", ID: "c1"}: true}
			for f := range want {
				put(t, s, f, []byte("a"))
				put(t, s, f, []byte("b"))
			}
			got := map[blob.Folder]bool{}
			err := s.EachFolder(t.Context(), func(f blob.Folder, last time.Time) error {
				if got[f] || last.Before(begin) || last.After(time.Now().Add(time.Minute)) {
					t.Errorf("%v: twice, or of %s", f, last)
				}
				got[f] = true
				return s.DeleteFolder(t.Context(), f)
			})
			if err != nil || !maps.Equal(got, want) {
				t.Errorf("%v %v", got, err)
			}
			missing(t, s, key(blob.Folder{Org: "acme", ID: "c1"}, []byte("a")))
			put(t, s, blob.Folder{Org: "acme", ID: "c1"}, []byte("a"))
			stop := errors.New("enough")
			if err := s.EachFolder(t.Context(), func(blob.Folder, time.Time) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("%v", err)
			}
		},
		"names that are none": func(t *testing.T, s blob.Store) {
			t.Helper()
			good := key(blob.Folder{Org: "acme", ID: "c1"}, []byte("x"))
			for _, k := range []blob.Key{
				{Folder: blob.Folder{Org: "..", ID: "c1"}, Hash: good.Hash},
				{Folder: blob.Folder{Org: "acme", ID: ""}, Hash: good.Hash},
				{Folder: blob.Folder{Org: "acme", ID: "../other"}, Hash: good.Hash},
				{Folder: good.Folder, Hash: "../../x"},
				{Folder: good.Folder, Hash: strings.ToUpper(good.Hash)},
			} {
				_, opened := s.Open(t.Context(), k)
				if err := s.Put(t.Context(), k, strings.NewReader("x"), 1); err == nil || opened == nil || errors.Is(opened, blob.ErrNotFound) {
					t.Errorf("%v: put %v, opened %v", k, err, opened)
				}
			}
			if err := s.DeleteFolder(t.Context(), blob.Folder{Org: "acme", ID: ".."}); err == nil {
				t.Error("a folder outside was deleted")
			}
		},
		"many at a time": func(t *testing.T, s blob.Store) {
			t.Helper()
			var all sync.WaitGroup
			for n := range 16 {
				all.Go(func() {
					body := bytes.Repeat([]byte{byte(n % 4)}, 1000)
					k := key(blob.Folder{Org: "acme", ID: "c1"}, body)
					if err := s.Put(t.Context(), k, bytes.NewReader(body), 1000); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for n := range 4 {
				body := bytes.Repeat([]byte{byte(n)}, 1000)
				if got := read(t, s, key(blob.Folder{Org: "acme", ID: "c1"}, body)); !bytes.Equal(got, body) {
					t.Errorf("%d is not what was put", n)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func key(f blob.Folder, body []byte) blob.Key {
	sum := sha256.Sum256(body)
	return blob.Key{Folder: f, Hash: hex.EncodeToString(sum[:])}
}

func put(t *testing.T, s blob.Store, f blob.Folder, body []byte) blob.Key {
	t.Helper()
	k := key(f, body)
	if err := s.Put(t.Context(), k, bytes.NewReader(body), int64(len(body))); err != nil {
		t.Fatal(err)
	}
	return k
}

func read(t *testing.T, s blob.Store, k blob.Key) []byte {
	t.Helper()
	file, err := s.Open(t.Context(), k)
	if err != nil {
		t.Fatalf("%v: %v", k, err)
	}
	defer file.Close()
	body, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func missing(t *testing.T, s blob.Store, k blob.Key) {
	t.Helper()
	if _, err := s.Open(t.Context(), k); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v: %v", k, err)
	}
}

// A bucket that is away says so, and does not look like one without the file.
func TestBucketAway(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	url := server.URL
	server.Close()
	store, err := blob.Open("s3://files?region=us-east-1&endpoint=" + url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the client would try for a while
	k := key(blob.Folder{Org: "acme", ID: "c1"}, []byte("x"))
	if _, err := store.Open(ctx, k); err == nil || errors.Is(err, blob.ErrNotFound) {
		t.Errorf("opened: %v", err)
	}
	if err := store.DeleteFolder(ctx, k.Folder); err == nil {
		t.Error("a folder was deleted in a bucket that is away")
	}
	if err := store.Put(ctx, k, strings.NewReader("x"), 1); err == nil {
		t.Error("a file was put in a bucket that is away")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for location, good := range map[string]bool{
		"":                     true,
		"/var/lib/files":       true,
		"file:///var/lib/file": true,
		"s3://bucket":          true,
		"s3://bucket/a/b?endpoint=http://127.0.0.1:9000&region=here": true,
		"s3://":                            false,
		"s3://key:secret@bucket":           false,
		"s3://bucket?endpoint=127.0.0.1":   false,
		"s3://bucket?endpoint=http://h/p":  false,
		"s3://bucket?secret=x":             false,
		"gs://bucket":                      false,
		"https://bucket.s3.amazonaws.com/": false,
	} {
		if err := blob.Check(location); (err == nil) != good {
			t.Errorf("%q: %v", location, err)
		} else if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("%q: the error shows the secret: %v", location, err)
		}
	}
}

// What a killed writer leaves is in nobody's way, and is cleared away once nobody can be at it any more.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := blob.NewDir(dir); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(dir, ".staging", "old"), filepath.Join(dir, ".staging", "fresh")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.NewDir(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was abandoned is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("what another process writes was taken away: %v", err)
	}
}

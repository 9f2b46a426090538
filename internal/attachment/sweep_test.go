package attachment_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
)

// What was uploaded for a conversation that never began is forgotten, and nothing else is.
func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *attachment.Deps) { d.Clock = time.Now })
	put := func(conversation string) blob.Key {
		k := keyOf("hello")
		k.ID = conversation
		if err := b.store.Put(t.Context(), k, strings.NewReader("hello"), 5); err != nil {
			t.Fatal(err)
		}
		return k
	}
	there := func(k blob.Key) bool {
		file, err := b.store.Open(t.Context(), k)
		if err == nil {
			_ = file.Close()
		} else if !errors.Is(err, blob.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	talked, never := put("talked"), put("never")
	away := errors.New("the log is away")
	exists := func(_ context.Context, org, id string) (bool, error) { return org == "acme" && id == "talked", nil }

	if err := b.files.Sweep(t.Context(), exists); err != nil || !there(talked) || !there(never) {
		t.Errorf("what may still be sent is gone: %v", err)
	}
	late := attachment.New(attachment.Deps{Store: b.store, Directory: orgs{}, Clock: func() time.Time { return time.Now().Add(49 * time.Hour) }})
	if err := late.Sweep(t.Context(), func(context.Context, string, string) (bool, error) { return false, away }); !errors.Is(err, away) || !there(talked) || !there(never) {
		t.Errorf("deleted although nobody knows: %v", err)
	}
	if err := late.Sweep(t.Context(), exists); err != nil || !there(talked) || there(never) {
		t.Errorf("%v: talked %v, never %v", err, there(talked), there(never))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := late.RunSweeps(ctx, exists); err != nil {
		t.Errorf("a stop is no error: %v", err)
	}
}

// FuzzTokens: nothing that was not signed is believed, and nothing panics.
func FuzzTokens(f *testing.F) {
	files := attachment.New(attachment.Deps{Directory: orgs{}})
	owner := attachment.Owner{Org: "acme", Conversation: "c1", By: "desk"}
	f.Add("tdmf1_e30.AA")
	f.Add("tdmf1_eyJvIjoiYWNtZSIsImMiOiJjMSIsImIiOiJkZXNrIn0.AAAA")
	f.Fuzz(func(t *testing.T, id string) {
		if list, err := files.Redeem(owner, []string{id}); !errors.Is(err, attachment.ErrUnknown) || list != nil {
			t.Fatalf("believed %q: %v %v", id, list, err)
		}
	})
}

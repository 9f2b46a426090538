package keyset

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		order, keys := rapid.String().Draw(t, "order"), rapid.SliceOf(rapid.String()).Draw(t, "keys")
		token := Encode(order, keys...)
		got, err := Decode(token, order, len(keys))
		if err != nil || !slices.Equal(got, keys) {
			t.Fatalf("%q, %v; want %q", got, err, keys)
		}
		if _, err := Decode(token, order+"x", len(keys)); !errors.Is(err, ErrMismatch) {
			t.Fatalf("another order: %v", err)
		}
		if _, err := Decode(token, order, len(keys)+1); !errors.Is(err, ErrInvalid) {
			t.Fatalf("another number of keys: %v", err)
		}
		damaged := []byte(token)
		damaged[rapid.IntRange(0, len(damaged)-1).Draw(t, "at")] ^= 1
		if _, err := Decode(string(damaged), order, len(keys)); !errors.Is(err, ErrInvalid) {
			t.Fatalf("damaged: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("", "inbox")
	f.Add(Encode("inbox", "1", "2"), "inbox")
	f.Fuzz(func(t *testing.T, token, order string) {
		keys, err := Decode(token, order, 2)
		if err == nil && len(keys) != 2 {
			t.Errorf("%q gives %d keys", token, len(keys))
		}
	})
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for in, want := range map[int]int{0: DefaultLimit, 1: 1, MaxLimit: MaxLimit, MaxLimit + 1: 0, -1: 0} {
		if got, err := Limit(in); got != want || (err == nil) != (want > 0) {
			t.Errorf("Limit(%d) = %d, %v", in, got, err)
		}
	}
}

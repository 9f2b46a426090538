package command_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/tidemark-desk/tidemark/internal/command"
)

func TestDeriveID(t *testing.T) {
	t.Parallel()
	id := command.DeriveID("acme", "agent:ann", "key-1")
	if id != "c93db831-e07e-8f97-a3ff-3320f5b10791" {
		t.Errorf("%s: ids that were derived before would not be found again", id)
	}
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		t.Errorf("%s: version %d, variant %s, %v", id, u.Version(), u.Variant(), err)
	}
	if command.DeriveID("ab", "c") == command.DeriveID("a", "bc") {
		t.Error("parts run into each other")
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	type request struct {
		Text string         `json:"text"`
		Tags map[string]int `json:"tags"`
	}
	a := command.Digest(request{"hi", map[string]int{"a": 1, "b": 2}})
	if a != command.Digest(request{"hi", map[string]int{"b": 2, "a": 1}}) {
		t.Error("the order of a map counts")
	}
	if a == command.Digest(request{"ho", map[string]int{"a": 1, "b": 2}}) {
		t.Error("the text does not count")
	}
}

package identity_test

import (
	"errors"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/identity"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind     events.IdentityType
		in, want string // empty: refused
	}{
		{events.IdentityEmail, " Zoe.Z+desk@Example.COM ", "zoe.z+desk@example.com"},
		{events.IdentityEmail, "zoe@localhost", "zoe@localhost"},
		{events.IdentityEmail, "zoe@münchen.example", "zoe@münchen.example"},
		{events.IdentityEmail, "zoe", ""},
		{events.IdentityEmail, "@example.com", ""},
		{events.IdentityEmail, "zoe@example", ""},
		{events.IdentityEmail, "zoe@exa mple.com", ""},
		{events.IdentityEmail, "zoe@-example.com", ""},
		{events.IdentityEmail, "a@b@example.com", ""},
		{events.IdentityEmail, "Zoe <zoe@example.com>", ""},
		{events.IdentityEmail, "zoe..z@example.com", ""},
		{events.IdentityPhone, "+49 (30) 90-18.20", "+4930901820"},
		{events.IdentityPhone, "0049 30 901820", "+4930901820"},
		{events.IdentityPhone, "030 901820", ""},
		{events.IdentityPhone, "+0301234567", ""},
		{events.IdentityPhone, "+49 30 90182O", ""},
		{events.IdentityPhone, "+1234567890123456", ""},
		{events.IdentityX, "@Zoe_Z", "zoe_z"},
		{events.IdentityX, "fifty_one_letters_are_more_than_a_handle_may_have__", ""},
		{events.IdentityX, "zoe z", ""},
		{events.IdentityFacebook, "Zoe.Example", "zoe.example"},
		{events.IdentityExternalID, "CRM/42 a", "CRM/42 a"},
		{events.IdentityExternalID, "", ""},
		{"pager", "42", ""},
	} {
		got, err := identity.Normalise(tc.kind, tc.in)
		if tc.want == "" {
			if !errors.Is(err, refusal.ErrIdentityInvalid) {
				t.Errorf("%s %q: %+v, %v", tc.kind, tc.in, got, err)
			}
			continue
		}
		if err != nil || got != (events.Identity{Type: tc.kind, Value: tc.want}) {
			t.Errorf("%s %q: %+v, %v; want %q", tc.kind, tc.in, got, err, tc.want)
		}
		if again, err := identity.Normalise(tc.kind, got.Value); err != nil || again != got {
			t.Errorf("%s %q: another spelling the second time: %+v, %v", tc.kind, tc.in, again, err)
		}
	}
}

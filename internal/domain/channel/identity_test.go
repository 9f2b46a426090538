package channel_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	chat := events.ChannelCreated{Type: events.ChannelChat, Name: "Site", SiteKey: "site"}
	email := events.ChannelCreated{Type: events.ChannelEmail, Name: "Mail"}
	first, second := events.ChannelIdentitySecretRotated{Version: 1, Reason: "test"}, events.ChannelIdentitySecretRotated{Version: 2, Reason: "test"}
	required := events.ChannelIdentityRequired{Reason: "members"}
	run(t, []row{
		{name: "the first secret", given: is(chat), when: channel.RotateIdentitySecret{Reason: "test"}, then: is(first)},
		{name: "the next", given: is(chat, first), when: channel.RotateIdentitySecret{After: 1, Reason: "test"}, then: is(second)},
		{name: "two ask at once", given: is(chat, first), when: channel.RotateIdentitySecret{}},
		{name: "of a mailbox", given: is(email), when: channel.RotateIdentitySecret{}, err: refusal.ErrChannelNotChat},
		{name: "of nothing", when: channel.RotateIdentitySecret{}, err: refusal.ErrChannelNotFound},
		{name: "demanded", given: is(chat, first), when: channel.RequireIdentity{Reason: "members"}, then: is(required)},
		{name: "demanded already", given: is(chat, first, required), when: channel.RequireIdentity{Reason: "members"}},
		{name: "no longer", given: is(chat, first, required), when: channel.AllowAnonymous{Reason: "all"}, then: is(events.ChannelAnonymousAllowed{Reason: "all"})},
		{name: "demanded without a secret", given: is(chat), when: channel.RequireIdentity{Reason: "members"}, err: refusal.ErrIdentitySecretMissing},
		{name: "demanded of a mailbox", given: is(email), when: channel.RequireIdentity{Reason: "members"}, err: refusal.ErrChannelNotChat},
	})
}

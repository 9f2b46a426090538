package channel_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
)

func TestRevokeSessions(t *testing.T) {
	t.Parallel()
	email := events.ChannelCreated{Type: events.ChannelEmail, Name: "Mail"}
	first, second := events.ChannelSessionsRevoked{Epoch: 1, Reason: "leak"}, events.ChannelSessionsRevoked{Epoch: 2, Reason: "unspecified"}
	run(t, []row{
		{name: "the first time", given: created, when: channel.RevokeSessions{Reason: "leak"}, then: is(first)},
		{name: "the next", given: has(first), when: channel.RevokeSessions{After: 1}, then: is(second)},
		{name: "two ask at once", given: has(first), when: channel.RevokeSessions{}},
		{name: "what did not begin yet", given: has(first), when: channel.RevokeSessions{After: 2}},
		{name: "of a mailbox", given: is(email), when: channel.RevokeSessions{}, err: refusal.ErrChannelNotChat},
		{name: "of nothing", when: channel.RevokeSessions{}, err: refusal.ErrChannelNotFound},
		{name: "a reason of two lines", given: created, when: channel.RevokeSessions{Reason: "a\nb"}, err: refusal.ErrTextInvalid},
	})
}

package channel_test

import (
	"slices"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/channel"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[channel.State, channel.Command]{
		Kind: events.KindChannel, Evolve: channel.Evolve, Decide: channel.Decide, Given: created,
		Commands: []channel.Command{
			channel.Create{},
			channel.Rename{},
			channel.SetOrigins{},
			channel.Disable{},
			channel.Enable{},
			channel.RotateIdentitySecret{},
			channel.RequireIdentity{},
			channel.AllowAnonymous{},
			channel.SetSurvey{},
		},
		Fields: domaintest.Fields{
			"Type":    {events.ChannelChat, events.ChannelEmail, events.Channel("pigeon")},
			"SiteKey": {"", "site", "no.key"},
			"Origins": {"https://acme.example", "HTTPS://acme.example/", "http://localhost:8080", "acme.example"},
		},
		Holds: func(s channel.State) bool { return slices.IsSorted(s.Origins) },
	})
}

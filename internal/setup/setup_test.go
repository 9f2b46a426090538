package setup_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/domain/refusal"
	"github.com/tidemark-desk/tidemark/internal/setup"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func request(id string) setup.Request {
	return setup.Request{ID: id, Name: "Acme", AdminName: "Ann", AdminEmail: "ann@example.com", KeyHash: make([]byte, 32), SiteKey: id + "-site"}
}

func TestAnOrgIsMadeWholeAndOnce(t *testing.T) {
	t.Parallel()
	log := testkit.Log(t)
	loop := command.NewLoop(log, command.Options{})
	meta := command.Meta{ID: "first", Actor: events.Actor{Type: events.ActorSystem}}

	made, err := setup.Org(t.Context(), loop, meta, request("acme"))
	require.NoError(t, err)
	require.Len(t, made.Events, 7)

	again, err := setup.Org(t.Context(), command.NewLoop(log, command.Options{}), meta, request("acme"))
	require.NoError(t, err)
	require.True(t, again.Replayed)
	history, err := log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindQueue, ID: setup.QueueID}, 0)
	require.NoError(t, err)
	require.Len(t, history, 2)

	_, err = setup.Org(t.Context(), loop, command.Meta{ID: "second"}, request("acme"))
	require.ErrorIs(t, err, refusal.ErrOrgExists)
}

func TestNothingIsMadeWhenAPartIsWrong(t *testing.T) {
	t.Parallel()
	log := testkit.Log(t)
	wrong := request("acme")
	wrong.AdminEmail = "no address"
	_, err := setup.Org(t.Context(), command.NewLoop(log, command.Options{}), command.Meta{ID: "m"}, wrong)
	require.Error(t, err)
	history, err := log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindOrg, ID: "acme"}, 0)
	require.NoError(t, err)
	require.Empty(t, history)
}

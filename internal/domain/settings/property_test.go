package settings_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/settings"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[settings.State, settings.Command]{
		Kind: events.KindSettings, Evolve: settings.Evolve, Decide: settings.Decide,
		Commands: []settings.Command{settings.SetDefaultQueue{}, settings.SetTimezone{}},
		Fields:   domaintest.Fields{"Timezone": {"UTC", "Europe/Berlin", "../etc", ""}},
	})
}

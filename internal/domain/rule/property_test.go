package rule_test

import (
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/domain/rule"
	"github.com/tidemark-desk/tidemark/internal/testkit/domaintest"
)

func TestProperties(t *testing.T) {
	t.Parallel()
	domaintest.Check(t, domaintest.Aggregate[rule.State, rule.Command]{
		Kind: events.KindRule, Evolve: rule.Evolve, Decide: rule.Decide, Given: created,
		Commands: []rule.Command{rule.Create{}, rule.Change{}, rule.Disable{}, rule.Enable{}},
		Fields: domaintest.Fields{
			"On":       {on, on, "conversation.closed", "conversation.exploded"},
			"Contains": {"", "refund", "two\nlines"},
			"Tag":      {"", "vip", " VIP", "billing", "a,b"},
			"Reply":    {"", "", "", "One moment.", " "},
		},
	})
}

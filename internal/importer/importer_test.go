package importer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/domain/org"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/importer"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// desk is a log with one org, and the directory that follows it.
func desk(t *testing.T) (*eventlog.Log, *directory.Directory) {
	t.Helper()
	log := testkit.Log(t)
	orgs := command.For(command.NewLoop(log, command.Options{}), command.Decider[org.State, org.Command]{Kind: events.KindOrg, Evolve: org.Evolve, Decide: org.Decide})
	made, err := orgs.Handle(t.Context(), "acme", "acme", command.Meta{Actor: events.Actor{Type: events.ActorSystem}}, org.Create{Name: "Acme", Secret: make([]byte, org.SecretSize)})
	require.NoError(t, err)
	d := directory.New(log, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	require.NoError(t, d.WaitFor(t.Context(), made.Position.Sequence))
	return log, d
}

const (
	first  = `{"id":"c1","channel":"x","company":"Acme","customer":{"name":"Ann","handle":"ann_1"},"messages":[{"at":"2020-04-01T17:31:32Z","from":"customer","text":"Hello?"},{"at":"2020-04-01T17:38:32Z","from":"agent","text":"Hi Ann."}]}`
	longer = `{"id":"c1","channel":"x","company":"Acme","customer":{"name":"Ann","handle":"ann_1"},"messages":[{"at":"2020-04-01T17:31:32Z","from":"customer","text":"Hello?"},{"at":"2020-04-01T17:38:32Z","from":"agent","text":"Hi Ann."},{"at":"2020-04-01T18:00:00Z","from":"customer","text":"Thanks!"}]}`
	second = `{"id":"c2","channel":"x","company":"Acme","customer":{"handle":"@Ann_1"},"messages":[{"at":"2020-05-01T00:00:00Z","from":"customer","text":"Me again."}]}`
)

func TestImportTwiceAddsNothingAndAGrownFileAddsWhatIsNew(t *testing.T) {
	t.Parallel()
	log, d := desk(t)
	i := importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	lines := [][]byte{[]byte(first), nil, []byte(second)}

	report, err := i.Import(t.Context(), "acme", lines)
	require.NoError(t, err)
	require.Empty(t, report.Rejected)
	require.Equal(t, importer.Totals{Created: 2, Messages: 3, Customers: 1}, report.Totals)
	require.NoError(t, log.Sync(t.Context()))
	head := log.Head()
	require.Equal(t, head, report.Position.Sequence)

	// Another process, with nothing in memory.
	i = importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	report, err = i.Import(t.Context(), "acme", lines)
	require.NoError(t, err)
	require.Equal(t, importer.Totals{Unchanged: 2}, report.Totals)
	require.NoError(t, log.Sync(t.Context()))
	require.Equal(t, head, log.Head())

	report, err = i.Import(t.Context(), "acme", [][]byte{[]byte(longer)})
	require.NoError(t, err)
	require.Equal(t, importer.Totals{Extended: 1, Messages: 1}, report.Totals)

	history, err := log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: command.DeriveID("import", "acme", "c1")}, 0)
	require.NoError(t, err)
	var texts []string
	for _, r := range history {
		switch e := r.Event.(type) {
		case events.ConversationMessageReceived:
			texts = append(texts, r.Time.Format(time.RFC3339)+" "+e.Text)
		case events.ConversationMessageWritten:
			texts = append(texts, r.Time.Format(time.RFC3339)+" "+e.Text)
		}
	}
	require.Equal(t, []string{"2020-04-01T17:31:32Z Hello?", "2020-04-01T17:38:32Z Hi Ann.", "2020-04-01T18:00:00Z Thanks!"}, texts)
}

func TestALineThatIsWrongIsReportedAndTheOthersAreKept(t *testing.T) {
	t.Parallel()
	log, d := desk(t)
	i := importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	for name, line := range map[string]string{
		"not JSON":         `{"id":"c1"`,
		"two values":       second + " " + second,
		"no messages":      `{"id":"a","channel":"x","customer":{"name":"n"},"messages":[]}`,
		"unknown channel":  strings.Replace(second, `"channel":"x"`, `"channel":"pigeon"`, 1),
		"handle on chat":   strings.Replace(second, `"channel":"x"`, `"channel":"chat"`, 1),
		"no time":          strings.Replace(second, `"at":"2020-05-01T00:00:00Z",`, ``, 1),
		"nobody":           strings.Replace(second, `{"handle":"@Ann_1"}`, `{}`, 1),
		"newest first":     strings.Replace(first, "2020-04-01T17:31:32Z", "2021-01-01T00:00:00Z", 1),
		"a robot":          strings.Replace(second, `"from":"customer"`, `"from":"robot"`, 1),
		"an empty message": strings.Replace(second, "Me again.", "", 1),
		"control signs":    strings.Replace(second, "Me again.", `a\u0000b`, 1),
	} {
		report, err := i.Import(t.Context(), "acme", [][]byte{[]byte(strings.Replace(line, `"id":"c`, `"id":"bad`, 1)), []byte(second)})
		require.NoError(t, err, name)
		require.Len(t, report.Rejected, 1, name)
		require.Equal(t, 1, report.Rejected[0].Line, name)
		require.Equal(t, fault.Invalid, report.Rejected[0].Fault.Kind, name)
		require.Equal(t, 1, report.Created+report.Unchanged, name)
	}
}

func TestAnOrgThatDoesNotExistIsSaid(t *testing.T) {
	t.Parallel()
	log, d := desk(t)
	i := importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	report, err := i.Import(t.Context(), "nobody", [][]byte{[]byte(first)})
	require.NoError(t, err)
	require.Equal(t, "org_not_found", report.Rejected[0].Fault.Code)
}

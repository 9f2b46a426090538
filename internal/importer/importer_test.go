package importer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
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
		"an id of lines":   strings.Replace(second, `"id":"c2"`, `"id":"bad\nid"`, 1),
		"an id with DEL":   strings.Replace(second, `"id":"c2"`, `"id":"bad\u007f"`, 1),
		"before year one":  strings.Replace(second, "2020-05-01T00:00:00Z", "0000-01-01T00:00:00+14:00", 1),
		"in year nought":   strings.Replace(second, "2020-05-01T00:00:00Z", "0001-01-01T00:00:00+14:00", 1),
		"in year 10000":    strings.Replace(second, "2020-05-01T00:00:00Z", "9999-12-31T23:59:59-14:00", 1),
		"a late problem":   strings.Replace(manyMessages(t, "c9", 700), "message 650", " ", 1),
	} {
		report, err := i.Import(t.Context(), "acme", [][]byte{[]byte(strings.Replace(line, `"id":"c`, `"id":"bad`, 1)), []byte(second)})
		require.NoError(t, err, name)
		require.Len(t, report.Rejected, 1, name)
		require.Equal(t, 1, report.Rejected[0].Line, name)
		require.Equal(t, fault.Invalid, report.Rejected[0].Fault.Kind, name)
		require.Equal(t, 1, report.Created+report.Unchanged, name)
	}
	// Nothing of a line that is wrong is written, however long it is.
	history, err := log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: command.DeriveID("import", "acme", "bad9")}, 0)
	require.NoError(t, err)
	require.Empty(t, history)
}

// An id stands for itself: whatever may be in a header, or not, is no reason to refuse it.
func TestAnIDMayBeAnyText(t *testing.T) {
	t.Parallel()
	log, d := desk(t)
	i := importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	for _, id := range []string{" with blanks around ", "ticket/12 #3: ä 漢字", strings.Repeat("é", 100)} {
		report, err := i.Import(t.Context(), "acme", [][]byte{[]byte(strings.Replace(second, "c2", id, 1))})
		require.NoError(t, err)
		require.Empty(t, report.Rejected, id)
		require.Equal(t, 1, report.Created, id)
	}
}

// manyMessages is a line with a long conversation.
func manyMessages(t *testing.T, id string, n int) string {
	t.Helper()
	r := importer.Record{ID: id, Channel: events.ChannelChat, Customer: importer.Customer{Name: "Ann"}}
	for i := range n {
		r.Messages = append(r.Messages, importer.Message{
			At: time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC), From: []string{"customer", "agent"}[i%2], Text: fmt.Sprint("message ", i),
		})
	}
	line, err := json.Marshal(r)
	require.NoError(t, err)
	return string(line)
}

// A conversation with more messages than the log takes in one batch is kept like any other: in order, once, also when
// the import is stopped in the middle of it, and when it has grown since.
func TestALongConversation(t *testing.T) {
	t.Parallel()
	const long, longer = 1203, 2001
	log, d := desk(t)
	line := []byte(manyMessages(t, "long", long))

	stopped := importer.New(&faulty{Intake: intake.New(command.NewLoop(log, command.Options{}), d), after: 1, err: errAway})
	_, err := stopped.Import(t.Context(), "acme", [][]byte{line})
	require.ErrorIs(t, err, errAway)

	i := importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	report, err := i.Import(t.Context(), "acme", [][]byte{line})
	require.NoError(t, err)
	require.Empty(t, report.Rejected)
	require.Equal(t, importer.Totals{Extended: 1, Messages: long - 500}, report.Totals)
	report, err = i.Import(t.Context(), "acme", [][]byte{line})
	require.NoError(t, err)
	require.Equal(t, importer.Totals{Unchanged: 1}, report.Totals)
	report, err = i.Import(t.Context(), "acme", [][]byte{[]byte(manyMessages(t, "long", longer))})
	require.NoError(t, err)
	require.Equal(t, importer.Totals{Extended: 1, Messages: longer - long}, report.Totals)
	report, err = i.Import(t.Context(), "acme", [][]byte{[]byte(manyMessages(t, "another", long))})
	require.NoError(t, err)
	require.Equal(t, importer.Totals{Created: 1, Messages: long, Customers: 1}, report.Totals)

	history, err := log.Read(t.Context(), events.Aggregate{Org: "acme", Kind: events.KindConversation, ID: command.DeriveID("import", "acme", "long")}, 0)
	require.NoError(t, err)
	n := 0
	for _, r := range history {
		var text string
		switch e := r.Event.(type) {
		case events.ConversationMessageReceived:
			text = e.Text
		case events.ConversationMessageWritten:
			text = e.Text
		default:
			continue
		}
		require.Equal(t, fmt.Sprint("message ", n), text)
		n++
	}
	require.Equal(t, longer, n)
}

var errAway = errors.New("away")

// faulty is an intake that fails: every call after some, or so many of them.
type faulty struct {
	importer.Intake
	after, times int
	err          error

	mu    sync.Mutex
	calls int
}

func (f *faulty) Open(ctx context.Context, org string, m command.Meta, r intake.Request) (intake.Opened, error) {
	f.mu.Lock()
	n := f.calls
	f.calls++
	f.mu.Unlock()
	if n >= f.after && (f.times == 0 || n < f.after+f.times) {
		return intake.Opened{}, f.err
	}
	return f.Intake.Open(ctx, org, m, r)
}

// That others change the same thing says nothing about a line: it is tried again, and when that is of no use the import
// stops, to be resumed. It never drops the line.
func TestAConflictIsNoBadLine(t *testing.T) {
	t.Parallel()
	log, d := desk(t)
	in := intake.New(command.NewLoop(log, command.Options{}), d)
	report, err := importer.New(&faulty{Intake: in, times: 2, err: command.ErrConflict}).Import(t.Context(), "acme", [][]byte{[]byte(first)})
	require.NoError(t, err)
	require.Empty(t, report.Rejected)
	require.Equal(t, 1, report.Created)

	report, err = importer.New(&faulty{Intake: in, err: command.ErrConflict}).Import(t.Context(), "acme", [][]byte{[]byte(second)})
	require.ErrorIs(t, err, command.ErrConflict)
	require.Empty(t, report.Rejected)
	require.Zero(t, report.Totals)
}

func TestAnOrgThatDoesNotExistIsSaid(t *testing.T) {
	t.Parallel()
	log, d := desk(t)
	i := importer.New(intake.New(command.NewLoop(log, command.Options{}), d))
	report, err := i.Import(t.Context(), "nobody", [][]byte{[]byte(first)})
	require.NoError(t, err)
	require.Equal(t, "org_not_found", report.Rejected[0].Fault.Code)
}

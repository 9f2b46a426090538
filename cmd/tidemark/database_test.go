package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// visitor chats; text is what it has written and was told is kept.
type visitor struct {
	chat         *testkit.Client
	conversation string
	texts        []string
	took         []time.Duration
}

func visit(t *testing.T, s *testkit.Process) *visitor {
	t.Helper()
	a := s.OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey, "name": "Ann"})
	return &visitor{chat: s.With(a.Str("token")), conversation: a.Str("conversation_id")}
}

// chats opens a stream, writes, sees each message come back on the stream, and reads the history.
func (v *visitor) chats(t *testing.T, name string, messages int) error {
	t.Helper()
	stream, err := v.chat.Open(t.Context(), "GET", "/chat/v1/stream", nil)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Body.Close() }()
	lines := bufio.NewScanner(stream.Body)
	for i := range messages {
		text := fmt.Sprintf("%s %d", name, i)
		began := time.Now()
		a, err := v.chat.Do(t.Context(), "POST", "/chat/v1/messages", map[string]any{"id": fmt.Sprintf("%s-%d", name, i), "text": text})
		if err != nil || a.Status != http.StatusCreated {
			return fmt.Errorf("post %q: %d %s %w", text, a.Status, a.Raw, err)
		}
		v.took = append(v.took, time.Since(began))
		v.texts = append(v.texts, text)
		seen := false
		for !seen && lines.Scan() {
			seen = strings.Contains(lines.Text(), `"`+text+`"`)
		}
		if !seen {
			return fmt.Errorf("the stream ended without %q: %w", text, cmp.Or(lines.Err(), io.EOF))
		}
	}
	a, err := v.chat.Do(t.Context(), "GET", "/chat/v1/messages", nil)
	if err != nil || a.Status != http.StatusOK || a.Str(fmt.Sprintf("items.%d.text", len(v.texts)-1)) != v.texts[len(v.texts)-1] {
		return fmt.Errorf("the history is %d %s %w", a.Status, a.Raw, err)
	}
	return nil
}

// chatLoad has visitors chat at the same time, and gives them with how long an answer took for most and for nearly all.
func chatLoad(t *testing.T, s *testkit.Process, name string) (visitors []*visitor, p50, p99 time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 16 {
		v := visit(t, s)
		visitors = append(visitors, v)
		all.Go(func() {
			if err := v.chats(t, fmt.Sprintf("%s-%d", name, i), 40); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var took []time.Duration
	for _, v := range visitors {
		took = append(took, v.took...)
	}
	if t.Failed() {
		t.FailNow()
	}
	slices.Sort(took)
	return visitors, took[len(took)/2], took[len(took)*99/100]
}

// Accepting and chat need the log alone: with the database stopped for a whole load they go on, also through a restart,
// and everything is shown once the database is back.
func TestWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	database := testkit.PostgresServer(t)
	dir := testkit.Dir(t)
	s := tidemark(t).Serve(t, dir, "--postgres", database.URL())
	_, p50, p99 := chatLoad(t, s, "with")
	t.Logf("with the database:    p50 %s, p99 %s", p50, p99)
	if err := database.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	visitors, p50, p99 := chatLoad(t, s, "without")
	t.Logf("without the database: p50 %s, p99 %s", p50, p99)
	v := visitors[0]
	answer := s.OK(t, "POST", "/v1/conversations/"+v.conversation+"/messages", map[string]any{"text": "We are on it."})
	v.texts = append(v.texts, "We are on it.")
	away, err := s.Do(t.Context(), "GET", "/v1/conversations", nil)
	if err != nil || away.Status != http.StatusServiceUnavailable || away.Str("code") != "read_models_unavailable" {
		t.Errorf("the inbox answers %d %s %v", away.Status, away.Raw, err)
	}
	if code := s.Stop(t); code != exitOK {
		t.Errorf("it stopped with %d:\n%s", code, s.Said())
	}
	s = tidemark(t).Serve(t, dir, "--postgres", database.URL())
	visitors = append(visitors, visit(t, s))
	if err := visitors[len(visitors)-1].chats(t, "restarted", 3); err != nil {
		t.Error(err)
	}
	if err := database.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, s)
	for _, v := range visitors {
		if got := texts(t, s, v.conversation); !slices.Equal(got, v.texts) {
			t.Errorf("the desk sees %q, want %q", got, v.texts)
		}
	}
	if got := s.OK(t, "GET", "/v1/conversations/"+v.conversation+"?min_position="+answer.Str("position"), nil); got.Str("last_message.preview") != "We are on it." {
		t.Errorf("%s", got.Raw)
	}
}

// A database that is not there is no reason not to start; what needs it says so, and the operator is told what to look at.
func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	s := serve(t, "--postgres", nobodyPostgres)
	s.OK(t, "POST", "/v1/conversations", map[string]any{
		"channel": "chat", "customer": map[string]any{"name": "Ann"}, "message": map[string]any{"text": "Hello"},
	})
	testkit.Until(t, "the operator is told", func() bool {
		said := s.Said()
		return strings.Contains(said, "PostgreSQL is not reachable") && strings.Contains(said, "is it running, and is the host and port of the URL right?")
	})
}

// A checkpoint that cannot be true stops its read model and nothing else; the hint that the operator is given helps.
func TestCorruptCheckpoint(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"beyond the log": "UPDATE tidemark.checkpoints SET checkpoint = 1000000000 WHERE projection = 'inbox'",
		"of another log": "UPDATE tidemark.checkpoints SET incarnation = 'another' WHERE projection = 'inbox'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, dir := testkit.Postgres(t), testkit.Dir(t)
			args := []string{"--postgres", database, "--targets", "api,chat,projections"}
			s := tidemark(t).Serve(t, dir, args...)
			open := func() string {
				return s.OK(t, "POST", "/v1/conversations", map[string]any{
					"channel": "chat", "customer": map[string]any{"name": "Ann"}, "message": map[string]any{"text": "Hello"},
				}).Str("id")
			}
			before := open()
			caughtUp(t, s)
			if code := s.Stop(t); code != exitOK {
				t.Fatalf("it stopped with %d:\n%s", code, s.Said())
			}
			conn, err := pgx.Connect(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.Exec(t.Context(), damage)
			if err != nil || conn.Close(t.Context()) != nil {
				t.Fatal(err)
			}
			s = tidemark(t).Serve(t, dir, args...)
			testkit.Until(t, "the operator is told", func() bool {
				said := s.Said()
				return strings.Contains(said, "derived from another log") && strings.Contains(said, "rebuild")
			})
			after := open()
			if got := texts(t, s, before); len(got) != 1 {
				t.Errorf("the timeline, which is sound, shows %q", got)
			}
			s.OK(t, "POST", "/v1/admin/projections/inbox/rebuild", nil)
			rebuildComesTo(t, s, "inbox", "ready")
			s.OK(t, "POST", "/v1/admin/projections/inbox/switch", nil)
			rebuildComesTo(t, s, "inbox", "switched")
			testkit.Until(t, "the inbox shows everything", func() bool {
				a, err := s.Try(t.Context(), "GET", "/v1/conversations", nil)
				return err == nil && strings.Contains(string(a.Raw), before) && strings.Contains(string(a.Raw), after)
			})
		})
	}
}

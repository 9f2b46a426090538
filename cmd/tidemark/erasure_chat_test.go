package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// chatted is a visitor who will be erased, and all that there is of them.
type chatted struct {
	s             *testkit.Process
	site          string
	secret        string
	tokens        []string // of all their sessions
	conversations []string
	customer      string
	merged        string   // who turned out to be the customer
	links         []string // of their files
}

// opensAs opens a session of whom the site has proven, with the token of the session before, if there was one.
func (c *chatted) opensAs(t *testing.T, externalID, before string) (token string) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(c.secret))
	_, _ = mac.Write([]byte(externalID))
	token = c.s.With(before).OK(t, "POST", "/chat/v1/sessions", map[string]any{
		"site_key": demoSiteKey, "name": "Zoe Berg", "external_id": externalID, "user_hash": hex.EncodeToString(mac.Sum(nil)),
	}).Str("token")
	c.tokens = append(c.tokens, token)
	return token
}

// says sends a message with a file.
func (c *chatted) says(t *testing.T, token, id, text string) (conversation string) {
	t.Helper()
	visitor := c.s.With(token)
	file := visitor.OK(t, "POST", "/chat/v1/attachments?name=confession-"+id+".txt", "the confession of "+id).Str("id")
	conversation = visitor.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": id, "text": text, "attachments": []string{file}}).Str("conversation_id")
	if !slices.Contains(c.conversations, conversation) {
		c.conversations = append(c.conversations, conversation)
	}
	return conversation
}

// isAnswered has the desk answer, take a note and put a tag on.
func (c *chatted) isAnswered(t *testing.T, conversation string) {
	t.Helper()
	of := "/v1/conversations/" + conversation
	file := c.s.OK(t, "POST", "/v1/attachments?conversation="+conversation+"&name=berg.txt", "a letter to Mrs Berg").Str("id")
	c.s.OK(t, "POST", of+"/messages", map[string]any{"text": "Dear Mrs Berg, thank you for your confession.", "attachments": []string{file}})
	c.s.OK(t, "POST", of+"/notes", map[string]any{"text": "What a confession!"})
	c.s.OK(t, "PUT", of+"/tags/berg", nil)
	c.s.OK(t, "PATCH", of+"/attributes", map[string]any{"about": "a confession"})
	c.s.OK(t, "PUT", of+"/subject", map[string]any{"subject": "The confession of Zoe Berg"})
}

// rates closes a conversation and answers the survey about it.
func (c *chatted) rates(t *testing.T, token, conversation string) {
	t.Helper()
	c.s.OK(t, "PUT", "/v1/conversations/"+conversation+"/status", map[string]any{"status": "closed"})
	visitor := c.s.With(token)
	var survey string
	testkit.Until(t, "a survey is asked", func() bool {
		survey = visitor.OK(t, "GET", "/chat/v1/messages?conversation_id="+conversation, nil).Str("survey.id")
		return survey != ""
	})
	visitor.OK(t, "POST", "/chat/v1/surveys/"+survey, map[string]any{"score": 2, "comment": "they laughed at my confession"})
}

// erasedWords are all that says who was erased, and what they said.
var erasedWords = []string{"berg", "confession"}

// TestErasureOfAChat: a visitor who wrote as nobody, then as somebody on one device and another, sent files, was sent some,
// rated the desk, and has more than one conversation is erased. Then nothing that says who they were or what they said is to
// be found: not by the API, the chat, or search; not in any table, the log, the files, the metrics, or what the server said.
func TestErasureOfAChat(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs PostgreSQL")
	}
	database := testkit.Postgres(t)
	s := serve(t, "--postgres", database)
	s.OK(t, "PUT", "/v1/agents/me/presence", map[string]any{"presence": "online"})
	c := &chatted{s: s, site: s.OK(t, "GET", "/v1/channels", nil).Str("items.0.id")}
	s.OK(t, "PUT", "/v1/channels/"+c.site+"/survey", map[string]any{"enabled": true, "question": "How was it?"})
	c.secret = s.OK(t, "POST", "/v1/channels/"+c.site+"/identity-secret", nil).Str("secret")
	caughtUp(t, s)

	// On one device they are known from the start, on the other only after they have written: two customers become one.
	elsewhere := c.opensAs(t, "user-berg", "")
	there := c.says(t, elsewhere, "e1", "My confession, from elsewhere.")
	c.isAnswered(t, there)
	c.rates(t, elsewhere, there)
	anonymous := s.With("").OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey, "name": "Zoe Berg", "email": "zoe.berg@example.com"}).Str("token")
	c.tokens = append(c.tokens, anonymous)
	first := c.says(t, anonymous, "a1", "My confession.")
	c.isAnswered(t, first)
	token := c.opensAs(t, "user-berg", anonymous)
	second := s.With(token).OK(t, "POST", "/chat/v1/conversations", map[string]any{"id": "b1", "text": "Another confession."}).Str("conversation_id")
	c.conversations = append(c.conversations, second)
	c.isAnswered(t, second)
	s.With(token).OK(t, "POST", "/chat/v1/attachments?name=confession.txt", "a confession that was never sent")

	bob := s.With(s.With("").OK(t, "POST", "/chat/v1/sessions", map[string]any{"site_key": demoSiteKey, "name": "Bob"}).Str("token"))
	kept := bob.OK(t, "POST", "/chat/v1/attachments?name=bob.txt", "a question").Str("id")
	bobs := bob.OK(t, "POST", "/chat/v1/messages", map[string]any{"id": "m1", "text": "A question.", "attachments": []string{kept}})
	caughtUp(t, s)
	c.isThere(t, database)

	asked := tidemark(t).Run(t, "customer", "erase", c.customer, "--json", "--data", s.Data)
	var e erasureState
	if err := json.Unmarshal([]byte(asked.Stdout), &e); err != nil || asked.Code != exitOK || e.Status != "done" {
		t.Fatalf("the erasure ended with %d, %v:\n%s%s", asked.Code, err, asked.Stdout, asked.Stderr)
	}
	caughtUp(t, s)
	checkErased(t, s, map[string][]string{c.customer: c.conversations, c.merged: nil}, e.Position)
	c.isGone(t, database)

	if got := bob.OK(t, "GET", "/chat/v1/messages", nil); got.Str("items.0.text") != "A question." || string(s.OK(t, "GET", got.Str("items.0.attachments.0.url"), nil).Raw) != `"a question"` {
		t.Errorf("somebody else's chat: %s", got.Raw)
	}
	if r := tidemark(t).Run(t, "ledger", "--data", s.Data); r.Code != exitOK {
		t.Errorf("the ledger ended with %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if code := s.Stop(t); code != exitOK {
		t.Fatalf("it stopped with %d:\n%s", code, s.Said())
	}
	c.isNotKept(t, bobs.Str("conversation_id"))
}

// isThere makes sure that what is looked for later can be found at all.
func (c *chatted) isThere(t *testing.T, database string) {
	t.Helper()
	for _, id := range c.conversations {
		got := c.s.OK(t, "GET", "/v1/conversations/"+id, nil)
		customer := got.Str("customer_id")
		if into := c.s.OK(t, "GET", "/v1/customers/"+customer, nil).Str("merged_into"); into != "" {
			customer, c.merged = into, customer
		}
		if c.customer != "" && customer != c.customer {
			t.Errorf("%s is of %s and not of %s", id, customer, c.customer)
		}
		c.customer = customer
		for i := 0; got.Str(fmt.Sprintf("messages.items.%d.id", i)) != ""; i++ {
			if link := got.Str(fmt.Sprintf("messages.items.%d.attachments.0.url", i)); link != "" {
				c.links = append(c.links, link)
			}
		}
	}
	tables := strings.Join(c.tables(t, database), " ")
	for _, schema := range []string{"inbox.", "timeline.", "customers.", "surveys."} {
		if !strings.Contains(tables, schema) {
			t.Errorf("no table of %s has them, only %s: the test looks in the wrong way", schema, tables)
		}
	}
	if len(c.links) != 5 || len(c.conversations) != 3 || c.merged == "" {
		t.Fatalf("they have %d files in %d conversations, and %q was merged into them", len(c.links), len(c.conversations), c.merged)
	}
	for _, link := range c.links {
		c.s.OK(t, "GET", link, nil)
	}
}

// isGone asks the running server for them.
func (c *chatted) isGone(t *testing.T, database string) {
	t.Helper()
	for _, token := range c.tokens {
		for _, path := range []string{"/chat/v1/messages", "/chat/v1/conversations", "/chat/v1/stream"} {
			if a, err := c.s.With(token).Do(t.Context(), "GET", path, nil); err != nil || a.Status != 401 {
				t.Errorf("a session of theirs reads %s: %d %s %v", path, a.Status, a.Raw, err)
			}
		}
	}
	for _, link := range c.links {
		if a, err := c.s.Do(t.Context(), "GET", link, nil); err != nil || a.Status != 404 {
			t.Errorf("a link to a file of theirs answers %d %q %v", a.Status, a.Raw, err)
		}
	}
	if tables := c.tables(t, database); len(tables) > 0 {
		t.Errorf("they are still in the tables %q", tables)
	}
	if report := c.s.OK(t, "GET", "/v1/reports/satisfaction?group_by=channel", nil); report.Get("items.0.answered") != nil && report.Get("items.0.answered") != 0.0 {
		t.Errorf("their answer still counts: %s", report.Raw)
	}
	if found := testkit.Mentions(strings.Split(string(c.s.OK(t, "GET", "/metrics", nil).Raw), "\n"), slices.Concat(erasedWords, c.conversations, []string{c.customer})...); len(found) > 0 {
		t.Errorf("the metrics speak of them: %q", found)
	}
}

// tables are those that have a word of them in a row, in letters or as bytes.
func (c *chatted) tables(t *testing.T, database string) (with []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(all) < 10 {
		t.Fatalf("%d tables, %v", len(all), err)
	}
	var patterns []string
	for _, word := range erasedWords {
		capital := strings.ToUpper(word[:1]) + word[1:]
		patterns = append(patterns, "%"+word+"%", "%"+hex.EncodeToString([]byte(word))+"%", "%"+hex.EncodeToString([]byte(capital))+"%")
	}
	for _, table := range all {
		var has bool
		if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM "+table+" x WHERE x::text ILIKE ANY ($1))", patterns).Scan(&has); err != nil {
			t.Fatalf("look into %s: %v", table, err)
		}
		if has {
			with = append(with, table)
		}
	}
	return with
}

// isNotKept looks into what the stopped server has left on the disk.
func (c *chatted) isNotKept(t *testing.T, bobs string) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(c.s.Data, "attachments"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		files = append(files, path+" "+string(raw))
		return err
	})
	if err != nil || len(files) != 1 || !strings.Contains(files[0], bobs) {
		t.Errorf("these files are left: %q, %v", files, err)
	}
	log, err := eventlog.Open(t.Context(), eventlog.Config{Dir: c.s.Data})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	if found := testkit.Mentions(testkit.Messages(t, log), erasedWords...); len(found) > 0 {
		t.Errorf("the log speaks of them: %q", found)
	}
	if found := testkit.Mentions(strings.Split(c.s.Said(), "\n"), erasedWords...); len(found) > 0 {
		t.Errorf("the server said %q", found)
	}
}

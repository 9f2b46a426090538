package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// running is a cluster of real processes, and who uses it.
type running struct {
	t   *testing.T
	dir string
	key string
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{t: t, dir: testkit.Dir(t)}
	logs := &strings.Builder{}
	c := &cluster{
		dir:      r.dir,
		tidemark: testkit.Build(t, "github.com/tidemark-desk/tidemark/cmd/tidemark").Path,
		nats:     testkit.Build(t, "github.com/nats-io/nats-server/v2").Path,
		flags:    []string{"--visitor-rate-limit", "0", "--drain-delay", "0s"},
		logger:   slog.New(slog.NewTextHandler(logs, nil)),
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx, 0) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the cluster ended: %v", err)
		}
		if t.Failed() {
			t.Logf("the cluster said:\n%s", logs)
			r.tails()
		}
	})
	testkit.Until(t, "every process has started", func() bool { return len(r.layout().PIDs) == nodes+len(targets) })
	testkit.Until(t, "the api has made the first org", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, "api", "server.url"))
		return err == nil
	})
	key, err := os.ReadFile(filepath.Join(r.dir, "api", "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	r.key = strings.TrimSpace(string(key))
	return r
}

// layout is cluster.json as it is now; empty when it is not there yet.
func (r *running) layout() layout {
	var l layout
	raw, err := os.ReadFile(filepath.Join(r.dir, "cluster.json"))
	if err == nil {
		err = json.Unmarshal(raw, &l)
	}
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return l
}

func (r *running) client(target, key string) *testkit.Client {
	c := testkit.NewClient(r.layout().HTTP[target], key)
	r.t.Cleanup(c.Close)
	return c
}

// kill ends a process at once, and returns when another has taken its place.
func (r *running) kill(name string) {
	r.t.Helper()
	pid := r.layout().PIDs[name]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatalf("kill %s, process %d: %v", name, pid, err)
	}
	testkit.Until(r.t, name+" is started again", func() bool { return r.layout().PIDs[name] != pid })
}

// leader is the nats-server that leads the log.
func (r *running) leader() string {
	r.t.Helper()
	conn, err := nats.Connect(strings.Join(r.layout().NATS, ","))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		r.t.Fatal(err)
	}
	name := ""
	testkit.Until(r.t, "the log has a leader", func() bool {
		s, err := js.Stream(r.t.Context(), "EVENTS")
		if err == nil && s.CachedInfo().Cluster != nil {
			name = s.CachedInfo().Cluster.Leader
		}
		return name != ""
	})
	return name
}

// tails shows the end of what every process wrote.
func (r *running) tails() {
	logs, _ := filepath.Glob(filepath.Join(r.dir, "*.log")) // the pattern is well-formed
	for _, path := range logs {
		raw, err := os.ReadFile(path)
		if err == nil {
			r.t.Logf("%s:\n%s", filepath.Base(path), raw[max(0, len(raw)-2000):])
		}
	}
}

// visitor is one chat: what they wrote, and what they must see.
type visitor struct {
	chat         *testkit.Client
	conversation string
	want         []string
}

// write sends a message until it is acknowledged, as the widget does: with the same id.
func (r *running) write(v *visitor, id, text string) {
	r.t.Helper()
	r.retry("the message "+id+" is accepted", func() (testkit.Answer, error) {
		return v.chat.Do(r.t.Context(), "POST", "/chat/v1/messages", map[string]any{"id": id, "text": text})
	})
	v.want = append(v.want, text)
}

// retry asks again while the answer is that something is away.
func (r *running) retry(what string, ask func() (testkit.Answer, error)) testkit.Answer {
	r.t.Helper()
	var a testkit.Answer
	testkit.Until(r.t, what, func() bool {
		var err error
		a, err = ask()
		if err == nil && a.Status >= 400 && a.Status != http.StatusServiceUnavailable {
			r.t.Fatalf("%s: %d %s", what, a.Status, a.Raw)
		}
		return err == nil && a.Status < 300
	})
	return a
}

// mainJob is what the desk is for: a customer writes, an agent gets it, finds it, answers, and the customer reads that.
func (r *running) mainJob(n int) *visitor {
	r.t.Helper()
	ctx, api := r.t.Context(), r.client("api", r.key)
	v := &visitor{chat: r.client("chat", "")}
	session := r.retry("a session is opened", func() (testkit.Answer, error) {
		return v.chat.Do(ctx, "POST", "/chat/v1/sessions", map[string]any{"site_key": "demo-site", "name": "Ann"})
	})
	v.chat, v.conversation = v.chat.With(session.Str("token")), session.Str("conversation_id")
	word := "zebra" + strconv.Itoa(n)
	r.write(v, "first", "Where is my "+word+"?")
	testkit.Until(r.t, "the agent has "+word+" in the inbox", func() bool {
		a, err := api.Do(ctx, "GET", "/v1/conversations?assignee=me&limit=100&sort=-created_at", nil)
		return err == nil && a.Status == http.StatusOK && strings.Contains(string(a.Raw), v.conversation)
	})
	testkit.Until(r.t, "search finds "+word, func() bool {
		a, err := api.Do(ctx, "GET", "/v1/search?q="+word, nil)
		return err == nil && a.Status == http.StatusOK && a.Str("items.0.conversation_id") == v.conversation
	})
	text := "It is on its way: " + word
	r.retry("the answer is accepted", func() (testkit.Answer, error) {
		return api.Do(ctx, "POST", "/v1/conversations/"+v.conversation+"/messages", map[string]any{"text": text}, "Idempotency-Key", "answer-"+word)
	})
	v.want = append(v.want, text)
	r.reads(v)
	return v
}

// reads expects that the visitor sees everything that was acknowledged, once and in order.
func (r *running) reads(v *visitor) {
	r.t.Helper()
	var got []string
	for page := "/chat/v1/messages"; page != ""; { // the newest first
		a := r.retry("the history is read", func() (testkit.Answer, error) {
			return v.chat.Do(r.t.Context(), "GET", page, nil)
		})
		var texts []string
		for i := 0; a.Str("items."+strconv.Itoa(i)+".id") != ""; i++ {
			texts = append(texts, a.Str("items."+strconv.Itoa(i)+".text"))
		}
		got = append(texts, got...)
		page = a.Str("links.next")
	}
	if fmt.Sprint(got) != fmt.Sprint(v.want) {
		r.t.Errorf("the visitor sees %q, want %q", got, v.want)
	}
}

// Every process of the cluster is killed once, the leader of the log among them, while a visitor goes on writing. Each
// time the main job is done afterwards, and in the end everything that was acknowledged is there once. -short kills the
// leader, the chat and the projections only.
func TestMainJobWhileEveryProcessIsKilledOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	api := r.client("api", r.key)
	r.retry("the agent is online", func() (testkit.Answer, error) {
		return api.Do(t.Context(), "PUT", "/v1/agents/admin/presence", map[string]any{"presence": "online"})
	})
	r.retry("the agent has room", func() (testkit.Answer, error) {
		return api.Do(t.Context(), "PUT", "/v1/agents/admin/capacity", map[string]any{"capacity": 100})
	})
	visitors := []*visitor{r.mainJob(0)}
	names := []string{"nats-1", "nats-2", "nats-3", "api", "chat", "routing", "workflow", "search-indexer", "projections"}
	leader := r.leader()
	if testing.Short() {
		names = []string{leader, "chat", "projections"}
	}
	for n, name := range names {
		if strings.HasPrefix(name, "nats-") && name == r.leader() {
			t.Logf("%s leads the log", name)
		}
		var load sync.WaitGroup
		load.Go(func() {
			for i := range 20 {
				r.write(visitors[0], fmt.Sprint("during-", n, "-", i), fmt.Sprintf("while %s is killed: %d", name, i))
			}
		})
		r.kill(name)
		load.Wait()
		visitors = append(visitors, r.mainJob(n+1))
	}
	for _, v := range visitors {
		r.reads(v)
	}
	if a := api.OK(t, "GET", "/v1/conversations?status=any&limit=100", nil); a.Str("items."+strconv.Itoa(len(visitors)-1)+".id") == "" || a.Str("items."+strconv.Itoa(len(visitors))+".id") != "" {
		t.Errorf("want %d conversations in the inbox: %s", len(visitors), a.Raw)
	}
}

package widget_test

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// quote writes a value as JavaScript's JSON.stringify does.
func quote(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings always can be
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// desk is a server in a process of its own, without a database: chat needs none.
type desk struct {
	*testkit.Process
	t       *testing.T
	program testkit.Program
	listen  string
	args    []string
}

// withoutDatabase are the arguments of a desk whose database is not there.
var withoutDatabase = []string{"--targets", "api,chat", "--postgres", "postgres://tidemark@127.0.0.1:1/tidemark?connect_timeout=1"}

func newDesk(t *testing.T, args ...string) *desk {
	t.Helper()
	return startDesk(t, slices.Concat(withoutDatabase, args))
}

// newWholeDesk is one with a database, which reads and asks how it went.
func newWholeDesk(t *testing.T) *desk {
	t.Helper()
	return startDesk(t, []string{"--targets", "api,chat,projections,survey", "--postgres", testkit.Postgres(t)})
}

func startDesk(t *testing.T, args []string) *desk {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, program: testkit.Build(t, "github.com/tidemark-desk/tidemark/cmd/tidemark"), listen: l.Addr().String(), args: args}
	if err := l.Close(); err != nil { // it has to be the same address when it comes back
		t.Fatal(err)
	}
	d.start(testkit.Dir(t))
	return d
}

func (d *desk) start(data string) {
	d.t.Helper()
	d.Process = d.program.Serve(d.t, data, append(slices.Clone(d.args), "--listen", d.listen)...)
}

// answer writes to the conversation of a tab as an agent does.
func (d *desk) answer(b *tab, text string) {
	d.t.Helper()
	d.OK(d.t, http.MethodPost, "/v1/conversations/"+d.conversation(b)+"/messages", map[string]any{"text": text})
}

// session reads the token that the browser keeps; empty: none yet.
const session = `await new Promise((resolve) => {
  indexedDB.databases().then(async (all) => {
    const name = all.map((d) => d.name).find((n) => n.startsWith('tidemark/'));
    if (!name) return resolve('');
    const open = indexedDB.open(name);
    open.onsuccess = () => {
      const get = open.result.transaction('kept').objectStore('kept').get('session');
      get.onsuccess = () => { open.result.close(); resolve(get.result?.token ?? ''); };
    };
  });
})`

// conversation is the id of what the visitor writes to.
func (d *desk) conversation(b *tab) string {
	d.t.Helper()
	var token string
	testkit.Until(d.t, "the browser has a session", func() bool {
		token = eval[string](b, session)
		return token != ""
	})
	return d.With(token).OK(d.t, http.MethodGet, "/chat/v1/messages", nil).Str("conversation_id")
}

// A visitor comes for the first time, writes, and reads an agent's answer the moment it is written.
func TestFirstVisitToAnAnswer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newVisitor(t).open(d.URL + "/demo/")
	b.start()
	b.shot("greeting")
	b.write("My parcel never came.")
	b.shows("you: My parcel never came.")
	d.answer(b, "It is on its way, see https://example.com/track?id=1.")
	b.shows("you: My parcel never came.", "desk: It is on its way, see https://example.com/track?id=1.")
	b.write("Thank you!")
	b.shows("you: My parcel never came.", "desk: It is on its way, see https://example.com/track?id=1.", "you: Thank you!")
	b.shot("answered")
	b.clean()
}

package chat_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/testkit"
	"github.com/tidemark-desk/tidemark/services/chat"
)

// dribbles sends a request whose body never ends, byte by byte, until the server has cut the connection. It gives what was
// answered before that.
func (b *bundle) dribbles(head string) (status int, code string) {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", b.server.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // when this test gives up
	if _, err := io.WriteString(conn, head+"Host: desk\r\nContent-Length: 200000\r\n\r\n{"); err != nil {
		b.t.Fatal(err)
	}
	var writing sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() {
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-pace.C:
			case <-done:
				return
			}
			if _, err := io.WriteString(conn, " "); err != nil {
				return
			}
		}
	})
	defer writing.Wait()
	defer close(done)
	from := bufio.NewReader(conn)
	res, err := http.ReadResponse(from, nil)
	if err != nil {
		b.t.Fatalf("%q: no answer: %v", head, err)
	}
	defer res.Body.Close()
	var problem struct{ Code string }
	_ = json.NewDecoder(res.Body).Decode(&problem)
	if _, err := io.Copy(io.Discard, from); errors.Is(err, os.ErrDeadlineExceeded) {
		b.t.Errorf("%q: the connection is kept", head)
	}
	return res.StatusCode, problem.Code
}

// TestSlowBodies: whoever sends a body byte by byte is cut off, whatever becomes of the request and whether its body is wanted.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	const slowest = 50 * time.Millisecond
	store, err := blob.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(b *bundle, d *chat.Deps) {
		d.Slowest, d.Files = slowest, attachment.New(attachment.Deps{Store: store, Directory: b.dir, Slowest: slowest})
	})
	token := b.session(`{"site_key":"site_acme"}`)
	head := testkit.Head(t, b.log)
	const asJSON = "Content-Type: application/json\r\n"
	for _, c := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"a session", "POST /chat/v1/sessions HTTP/1.1\r\n" + asJSON, 408, "body_timeout"},
		{"a message", "POST /chat/v1/messages HTTP/1.1\r\n" + asJSON + "Authorization: Bearer " + token + "\r\n", 408, "body_timeout"},
		{"a message of nobody", "POST /chat/v1/messages HTTP/1.1\r\n" + asJSON, 408, "body_timeout"},
		{"a form", "POST /chat/v1/messages HTTP/1.1\r\nContent-Type: text/plain\r\n", 415, "unsupported_media_type"},
		{"where nothing is", "POST /chat/v1/nothing HTTP/1.1\r\n" + asJSON, 408, "body_timeout"},
		{"what has no body", "GET /chat/v1/messages HTTP/1.1\r\n" + asJSON + "Authorization: Bearer " + token + "\r\n", 408, "body_timeout"},
		{"a logout", "DELETE /chat/v1/sessions/current HTTP/1.1\r\n" + asJSON + "Authorization: Bearer " + token + "\r\n", 408, "body_timeout"},
		{"a preflight", "OPTIONS /chat/v1/messages HTTP/1.1\r\nOrigin: https://acme.example\r\nAccess-Control-Request-Method: POST\r\n", 204, ""},
		{"a file", "POST /chat/v1/attachments HTTP/1.1\r\nAuthorization: Bearer " + token + "\r\n", 408, "body_timeout"},
		{"a file of nobody", "POST /chat/v1/attachments HTTP/1.1\r\n", 401, "unauthenticated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, code := (&bundle{t: t, server: b.server}).dribbles(c.request)
			if status != c.status || code != c.code {
				t.Errorf("%d %s, want %d %s", status, code, c.status, c.code)
			}
		})
	}
	t.Cleanup(func() {
		if now := testkit.Head(t, b.log); now != head {
			t.Errorf("they left %d events", now-head)
		}
	})
}

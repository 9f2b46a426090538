package elastic_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/testkit/searchengine"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/search/searchtest"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]elastic.Config{
		"http://h:9200":                   {URL: "http://h:9200", Name: "tidemark"},
		"http://h:9200/":                  {URL: "http://h:9200", Name: "tidemark"},
		"https://h/desk-2":                {URL: "https://h", Name: "desk-2"},
		"https://ann:p%40ss@h:1/desk":     {URL: "https://h:1", Name: "desk", Username: "ann", Password: "p@ss"},
		"http://[::1]:9200/desk":          {URL: "http://[::1]:9200", Name: "desk"},
		"ftp://h/desk":                    {},
		"https:///desk":                   {},
		"https://h/Desk":                  {},
		"https://h/_all":                  {},
		"https://h/a/b":                   {},
		"https://h/desk?x=1":              {},
		"https://ann:secret@h:port/desk":  {},
		"https://ann:secret@h/desk#there": {},
	} {
		got, err := elastic.ParseURL(raw, "")
		if err == nil != (want.URL != "") || got.URL != want.URL || got.Name != want.Name && err == nil || got.Username != want.Username || got.Password != want.Password {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// behindTLS is a real engine behind TLS that wants to know who asks; it gives a URL without a user, and a file with its
// certificate.
func behindTLS(t *testing.T, upstream string, may func(req *http.Request) bool) (at, ca string) {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(to)
	through.Transport = &http.Transport{DisableKeepAlives: true}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !may(req) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"type":"security_exception","reason":"missing credentials"},"status":401}`))
			return
		}
		req.Header.Del("Authorization")
		through.ServeHTTP(w, req)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that fail, on purpose
	s.StartTLS()
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL, ca
}

// The engine is who its certificate says, is told who we are, and nobody else is told the password.
func TestTLSAndUsers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs Java")
	}
	at, ca := behindTLS(t, searchengine.Shared(t, searchengine.OpenSearch).URL, func(req *http.Request) bool {
		user, password, _ := req.BasicAuth()
		return user == "ann" && password == "s3cret/1" || req.Header.Get("Authorization") == "ApiKey k3y"
	})
	log := &searchtest.Log{}
	log.Append(searchtest.Conversation("org", "one"), events.ConversationOpened{Subject: "Hello"})
	open := func(user, ca, key string) error {
		c, err := elastic.ParseURL(strings.Replace(at, "://", "://"+user, 1)+"/"+name(t.Name()), ca)
		if err != nil {
			t.Fatal(err)
		}
		c.APIKey, c.Incarnation, c.Partitions = key, searchtest.Incarnation, searchtest.Partitions
		engine, err := elastic.OpenIndexes(t.Context(), c, log, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		log.Drive(t.Context(), t, engine, 10)
		if n, err := engine.Documents(t.Context()); err != nil || n != 1 {
			t.Errorf("%d documents, %v", n, err)
		}
		return engine.Close()
	}
	if err := open("ann:s3cret%2F1@", ca, ""); err != nil {
		t.Error(err)
	}
	if err := open("", ca, "k3y"); err != nil {
		t.Error(err)
	}
	for name, refused := range map[string]struct{ user, ca, key, want string }{
		"another certificate": {"ann:s3cret%2F1@", "", "", "certificate"},
		"another password":    {"ann:s3cret%2F2@", ca, "", "missing credentials"},
		"nobody":              {"", ca, "", "missing credentials"},
		"another key":         {"", ca, "s3cret", "missing credentials"},
	} {
		err := open(refused.user, refused.ca, refused.key)
		if !errors.Is(err, projections.ErrTransient) || !strings.Contains(fmt.Sprint(err), refused.want) || strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "none"), os.Args[0]} {
		if _, err := elastic.ParseURL("https://h", bad); err == nil {
			t.Errorf("%s has certificates", bad)
		}
	}
	if _, err := elastic.ParseURL("http://h", ca); err == nil {
		t.Error("certificates without TLS")
	}
}

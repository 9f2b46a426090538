package main

import (
	"strings"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/testkit"
)

// asked runs a command in this process, without any variables.
func asked(t *testing.T, args ...string) testkit.Result {
	t.Helper()
	var out, said strings.Builder
	none := func(string) (string, bool) { return "", false }
	code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &said, env: none})
	return testkit.Result{Code: code, Stdout: out.String(), Stderr: said.String()}
}

// Whatever a URL has that lets somebody in stays out of what is printed, also where the URL is not one.
func TestConfigPrintsNoSecrets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"several servers": {
			[]string{"--nats", "nats://ann:hush1@n1:4222, nats://ann:hush2@n2:4222,tls://hush3@n3:4222"},
			exitOK,
			[]string{"n1:4222", "n2:4222", "n3:4222", "ann"},
		},
		"a database":                 {[]string{"--postgres", "postgres://bob:hush@db:5432/desk"}, exitOK, []string{"bob", "db:5432/desk"}},
		"a database of two hosts":    {[]string{"--postgres", "postgres://bob:hush,1@db1:5432,db2:5432/desk"}, exitOK, []string{"bob", "db2:5432/desk"}},
		"a password as a parameter":  {[]string{"--postgres", "postgres://db/desk?user=bob&password=hush&sslpassword=hush"}, exitOK, []string{"user=bob", "db/desk"}},
		"a password that is escaped": {[]string{"--nats", "nats://ann:hush%zz@n1:4222,nats://ann:hush@n2"}, exitUsage, []string{"nats: "}},
		"no scheme":                  {[]string{"--nats", "ann:hush@n1:4222"}, exitUsage, []string{"nats: ", "n1:4222"}},
	} {
		for _, form := range [][]string{nil, {"--json"}} {
			t.Run(name+strings.Join(form, ""), func(t *testing.T) {
				t.Parallel()
				got := asked(t, append(append([]string{"config"}, form...), c.args...)...)
				if got.Code != c.code || strings.Contains(got.Stdout+got.Stderr, "hush") {
					t.Errorf("ended with %d, want %d, and no secrets:\n%s%s", got.Code, c.code, got.Stdout, got.Stderr)
				}
				for _, w := range c.want {
					if !strings.Contains(got.Stdout+got.Stderr, w) {
						t.Errorf("it does not say %q:\n%s%s", w, got.Stdout, got.Stderr)
					}
				}
			})
		}
	}
}

package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/web"
)

func TestCaller(t *testing.T) {
	t.Parallel()
	proxies, err := web.ParseProxies([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		trusted   web.Proxies
		remote    string
		forwarded []string
		want      string
	}{
		"nobody in front":                        {nil, "198.51.100.7:4711", nil, "198.51.100.7"},
		"who is believed by nobody may say much": {nil, "10.0.0.1:1", []string{"203.0.113.9"}, "10.0.0.1"},
		"a stranger may say much":                {proxies, "198.51.100.7:1", []string{"203.0.113.9"}, "198.51.100.7"},
		"a proxy":                                {proxies, "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		"a proxy that says nothing":              {proxies, "10.0.0.1:1", nil, "10.0.0.1"},
		"what the client made up":                {proxies, "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		"made up in a line of its own":           {proxies, "10.0.0.1:1", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		"made up to look like a proxy":           {proxies, "10.0.0.1:1", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"two proxies":                            {proxies, "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9, 192.0.2.1"}, "203.0.113.9"},
		"all of them proxies":                    {proxies, "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"nonsense behind a proxy":                {proxies, "10.0.0.1:1", []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		"with a port":                            {proxies, "10.0.0.1:1", []string{"203.0.113.9:5050"}, "203.0.113.9"},
		"IPv4 as IPv6":                           {proxies, "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"IPv6 is a network":                      {proxies, "[2001:db8::5]:1", []string{"2a00:1:2:3:4:5:6:7"}, "2a00:1:2:3::/64"},
		"IPv6 with a port":                       {proxies, "[2001:db8::5]:1", []string{"[2a00:1:2:3::9]:443"}, "2a00:1:2:3::/64"},
		"no address at all":                      {proxies, "@", []string{"203.0.113.9"}, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		for _, line := range c.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		if got := c.trusted.Caller(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, bad := range []string{"", "proxy", "10.0.0.0/33", "10.0.0.1:80"} {
		if _, err := web.ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}

// FuzzCaller: whom a request is from is its other end, or what a proxy that is believed says in an address; nobody else can
// say anything, and nothing makes it panic.
func FuzzCaller(f *testing.F) {
	for _, s := range [][2]string{
		{"10.0.0.1:1", "203.0.113.9"},
		{"10.0.0.1:1", "1.1.1.1, 10.0.0.2,"},
		{"198.51.100.7:1", "203.0.113.9"},
		{"[2001:db8::5]:1", "[2a00:1:2:3::9]:443"},
		{"@", "::ffff:10.0.0.1"},
		{"10.0.0.1:1", "fe80::1%eth0"},
		{"10.0.0.1:1", "[[]], %, :"},
	} {
		f.Add(s[0], s[1])
	}
	proxies, err := web.ParseProxies([]string{"10.0.0.0/8", "2001:db8::/32"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		alone := proxies.Caller(r)
		r.Header.Set("X-Forwarded-For", forwarded)
		if got := web.Proxies(nil).Caller(r); got != alone {
			t.Fatalf("%q said of itself %q, and is %q", remote, forwarded, got)
		}
		got := proxies.Caller(r)
		if got == alone {
			return
		}
		_, noAddress := netip.ParseAddr(got)
		_, noNetwork := netip.ParsePrefix(got)
		if noAddress != nil && noNetwork != nil {
			t.Fatalf("%q behind %q is %q", forwarded, remote, got)
		}
	})
}

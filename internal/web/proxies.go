package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the proxies in front of this process that are believed when they say whom a request is from. The zero
// value believes nobody.
type Proxies []netip.Prefix

// ParseProxies reads addresses and ranges of them, such as 10.0.0.7 and 10.0.0.0/8.
func ParseProxies(list []string) (Proxies, error) {
	out := make(Proxies, 0, len(list))
	for _, s := range list {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			address, bad := netip.ParseAddr(s)
			if bad != nil {
				return nil, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", s)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		out = append(out, prefix)
	}
	return out, nil
}

// Caller is whom a request is from, as far as that can be known: what limits are kept by. Anybody may write an
// X-Forwarded-For, and each proxy adds whom it has it from on the right; so it is read from there, and only as long as
// the one who says so is a proxy of ours. An IPv6 caller is its /64, of which everybody has all addresses.
func (p Proxies) Caller(r *http.Request) string {
	address, ok := parseAddress(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.believes(address) {
			break
		}
		before, ok := parseAddress(strings.TrimSpace(hop))
		if !ok {
			break // the nearest that is known will have to do
		}
		address = before
	}
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}

func (p Proxies) believes(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(a) })
}

// parseAddress reads an address, with or without a port.
func parseAddress(s string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

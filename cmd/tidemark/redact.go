package main

import (
	"net/url"
	"strings"
)

// hidden stands where a secret was, as net/url has it.
const hidden = "xxxxx"

// redactServers is a list of NATS URLs, by commas, without what lets somebody in: a password, or a token, which stands
// where the name of a user would.
func redactServers(list string) string {
	parts := strings.Split(list, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err == nil && u.User != nil {
			if _, named := u.User.Password(); !named {
				u.User = url.User(hidden)
				part = u.String()
			}
		}
		parts[i] = redact(strings.TrimSpace(part))
	}
	return strings.Join(parts, ",")
}

// redact is a URL without its passwords. Of what is no URL it keeps what stands behind the last @.
func redact(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		if at := strings.LastIndexByte(s, '@'); at >= 0 {
			return hidden + s[at:]
		}
		return s
	}
	query := strings.Split(u.RawQuery, "&")
	for i, pair := range query {
		if name, _, _ := strings.Cut(pair, "="); strings.HasSuffix(strings.ToLower(name), "password") {
			query[i] = name + "=" + hidden
		}
	}
	u.RawQuery = strings.Join(query, "&")
	return u.Redacted()
}

// secret tells whether a secret is set, and nothing else of it.
func secret(s string) string {
	if s == "" {
		return ""
	}
	return hidden
}

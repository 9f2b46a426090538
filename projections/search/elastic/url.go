package elastic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// usualName is the alias when the URL names none.
const usualName = "tidemark"

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,99}$`)

// ParseURL reads where an engine is: https://USER:PASSWORD@HOST:PORT/ALIAS, where all but the host may be left out. ca is
// a file with the certificates that are trusted instead of the system's, and may be empty.
func ParseURL(raw, ca string) (Config, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return Config{}, errors.New("not a URL such as https://127.0.0.1:9200/tidemark") // which may have a password in it
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return Config{}, errors.New("not a URL such as https://127.0.0.1:9200/tidemark")
	}
	c := Config{URL: u.Scheme + "://" + u.Host, Name: strings.Trim(u.Path, "/")}
	c.Username = u.User.Username()
	c.Password, _ = u.User.Password()
	if c.Name == "" {
		c.Name = usualName
	}
	if !nameForm.MatchString(c.Name) {
		return Config{}, fmt.Errorf("%q is no name of an index: lower case letters, digits, - and _", c.Name)
	}
	if ca == "" {
		return c, nil
	}
	if u.Scheme != "https" {
		return Config{}, errors.New("certificates are of use with https only")
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return Config{}, fmt.Errorf("read the certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return Config{}, fmt.Errorf("there is no certificate in %s", ca)
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return Config{}, errors.New("the transport of this process takes no certificates")
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	c.Client = &http.Client{Timeout: requestTimeout, Transport: transport}
	return c, nil
}

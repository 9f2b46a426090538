// Package deploy_test holds the examples in this folder against the software that reads them.
package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

func TestNATSConfigurationKeepsWhatIsAcknowledged(t *testing.T) {
	t.Setenv("TIDEMARK_NATS_NAME", "n1")
	t.Setenv("TIDEMARK_NATS_LISTEN", "127.0.0.1:4222")
	t.Setenv("TIDEMARK_NATS_STORE", "/var/lib/nats")
	t.Setenv("TIDEMARK_NATS_CLUSTER", "127.0.0.1:6222")
	options, err := server.ProcessConfigFile("nats.conf")
	require.NoError(t, err)
	require.True(t, options.JetStream)
	require.True(t, options.SyncAlways, "sync_interval must be always")
	require.EqualValues(t, 8<<20, options.MaxPayload)
	require.Len(t, options.Routes, 3)
}

func TestAlertsNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("alerts.yml")
	require.NoError(t, err)
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &rules))
	require.Len(t, rules.Groups, 1)
	var source strings.Builder
	for _, file := range []string{
		"../projections/metrics.go", "../internal/eventlog/metrics.go", "../services/searchindexer/metrics.go", "../projections/search/elastic/metrics.go",
	} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		source.Write(text)
	}
	name := regexp.MustCompile(`tidemark_[a-z_]+`)
	for _, r := range rules.Groups[0].Rules {
		found := name.FindAllString(r.Expr, -1)
		require.NotEmpty(t, found, r.Alert)
		for _, metric := range found {
			metric = strings.TrimSuffix(metric, "_bucket")
			short := strings.TrimPrefix(metric, "tidemark_projection_")
			require.True(t, strings.Contains(source.String(), `"`+metric+`"`) || strings.Contains(source.String(), `desc("`+short+`"`), "%s: no metric is called %s", r.Alert, metric)
		}
	}
}

func TestTheUnitServesWithSettingsThatExist(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("tidemark.service")
	require.NoError(t, err)
	config, err := os.ReadFile("../cmd/tidemark/config.go")
	require.NoError(t, err)
	for _, variable := range regexp.MustCompile(`TIDEMARK_[A-Z_]+`).FindAllString(string(unit), -1) {
		if variable != "TIDEMARK_" { // "TIDEMARK_…" in the comment
			require.Contains(t, string(config), `env:"`+variable+`"`)
		}
	}
}

// The engines of the containers are those that the tests run on, and nobody else reaches them.
func TestComposeHasTheEnginesThatAreTested(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var compose struct {
		Services map[string]struct {
			Image   string
			Ports   []string
			Volumes []string
		}
		Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal(raw, &compose))
	script, err := os.ReadFile("../scripts/search-engine")
	require.NoError(t, err)
	tested := regexp.MustCompile(`(?m)^  (\w+)\) version=(\S+) `).FindAllStringSubmatch(string(script), -1)
	require.Len(t, tested, len(compose.Services))
	for _, engine := range tested {
		s := compose.Services[engine[1]]
		require.True(t, strings.HasSuffix(s.Image, ":"+engine[2]), "%s is %q, and the tests run on %s", engine[1], s.Image, engine[2])
		require.NotEmpty(t, s.Ports)
		for _, port := range s.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), port)
		}
		require.Len(t, s.Volumes, 1)
		name, _, _ := strings.Cut(s.Volumes[0], ":")
		require.Contains(t, compose.Volumes, name)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
)

// config is everything that serve can be told: defaults, then the file of --config, then TIDEMARK_…, then flags.
type config struct {
	Targets   []string      `help:"What to run in this process: ${enum_targets} or all." default:"all" env:"TIDEMARK_TARGETS" placeholder:"T,…"`
	Data      string        `help:"Directory for everything this machine keeps." default:"./data" env:"TIDEMARK_DATA_DIR" placeholder:"DIR"`
	Listen    string        `help:"Address of the HTTP server." default:"127.0.0.1:8080" env:"TIDEMARK_LISTEN"`
	NATS      string        `name:"nats" help:"NATS server or cluster that holds the log; without it one runs inside this process." env:"TIDEMARK_NATS" placeholder:"URL"`
	Postgres  string        `help:"PostgreSQL for the read models; without it a private one is started in the data directory." env:"TIDEMARK_POSTGRES" placeholder:"URL"`
	Search    string        `help:"Search engine: a directory for the embedded index (default DIR/search), or http(s)://USER:PASSWORD@HOST:PORT/INDEX of Elasticsearch 7 or OpenSearch." env:"TIDEMARK_SEARCH" placeholder:"URL"`
	SearchKey string        `name:"search-api-key" help:"API key for Elasticsearch, instead of a user." env:"TIDEMARK_SEARCH_API_KEY" placeholder:"KEY"`
	SearchCA  string        `name:"search-ca" help:"File with the certificates that the search engine's is signed with." env:"TIDEMARK_SEARCH_CA" placeholder:"FILE"`
	Files     string        `name:"attachments" help:"Where files of messages are kept: a directory (default DIR/attachments), or s3://BUCKET/PREFIX?endpoint=URL&region=NAME." env:"TIDEMARK_ATTACHMENTS" placeholder:"URL"`
	Partition int           `name:"partitions" help:"Partitions of a new log, 4 unless said; an existing log keeps its own." env:"TIDEMARK_PARTITIONS"`
	Replicas  int           `help:"Copies of a new log in a NATS cluster: 1, 3 or 5." env:"TIDEMARK_REPLICAS"`
	RateLimit float64       `help:"Requests a second that one API key may make; 0 for no limit." default:"200" env:"TIDEMARK_RATE_LIMIT"`
	Visitors  float64       `name:"visitor-rate-limit" help:"Requests a second that one chat visitor may make; new sessions follow from it; 0 for no limit." default:"5" env:"TIDEMARK_VISITOR_RATE_LIMIT"`
	Proxies   []string      `name:"trusted-proxies" help:"Addresses or CIDRs of proxies in front, whose X-Forwarded-For says where a visitor comes from." env:"TIDEMARK_TRUSTED_PROXIES" placeholder:"CIDR,…"`
	Operator  string        `name:"operator-org" help:"Org whose admins may make other orgs." default:"demo" env:"TIDEMARK_OPERATOR_ORG"`
	Drain     time.Duration `help:"How long a stop waits for requests under way." default:"10s" env:"TIDEMARK_DRAIN"`
	Delay     time.Duration `name:"drain-delay" help:"How long a stop is announced in /readyz, and requests are served as before, until it begins." default:"3s" env:"TIDEMARK_DRAIN_DELAY"`
	LogLevel  string        `help:"debug, info, warn or error." default:"info" env:"TIDEMARK_LOG_LEVEL"`
	LogFormat string        `help:"text or json." default:"text" env:"TIDEMARK_LOG_FORMAT"`
	Pprof     bool          `help:"Serve /debug/pprof on the HTTP server." env:"TIDEMARK_PPROF"`
}

// allTargets are the services that a process can run.
var allTargets = []string{"api", "chat", "routing", "workflow", "survey", "search-indexer", "projections"}

// configError is a configuration that cannot work; it lists every problem.
type configError struct{ problems []error }

func (e configError) Error() string {
	return "the configuration cannot work:\n  " + strings.ReplaceAll(errors.Join(e.problems...).Error(), "\n", "\n  ")
}

// has tells whether a target runs in this process.
func (c config) has(target string) bool {
	return slices.Contains(c.Targets, "all") || slices.Contains(c.Targets, target)
}

// Validate reports all problems at once. kong calls it too.
func (c config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, t := range c.Targets {
		if t != "all" && !slices.Contains(allTargets, t) {
			bad("targets: %q is none of %s, all", t, strings.Join(allTargets, ", "))
		}
	}
	if len(c.Targets) == 0 {
		bad("targets: name at least one, or all")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen: %q is not host:port", c.Listen)
	}
	for u := range strings.SplitSeq(c.NATS, ",") {
		if u = strings.TrimSpace(u); u == "" {
			continue
		}
		if p, err := url.Parse(u); err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, p.Scheme) || p.Host == "" {
			bad("nats: %q is not a URL such as nats://127.0.0.1:4222", redactServers(u))
		}
	}
	if c.Postgres != "" {
		if p, err := url.Parse(c.Postgres); err != nil || !slices.Contains([]string{"postgres", "postgresql"}, p.Scheme) {
			bad("postgres: not a URL such as postgres://user@127.0.0.1:5432/tidemark")
		}
	}
	if remote := strings.Contains(c.Search, "://") && !strings.HasPrefix(c.Search, "file://"); remote {
		if _, err := elastic.ParseURL(c.Search, c.SearchCA); err != nil {
			bad("search: %w", err)
		}
	} else if c.SearchKey != "" || c.SearchCA != "" {
		bad("search-api-key, search-ca: the embedded index needs neither: give --search https://HOST:PORT too")
	}
	if err := blob.Check(c.Files); err != nil {
		bad("attachments: %w", err)
	}
	if c.Partition < 0 || c.Partition > 256 {
		bad("partitions: %d is not between 1 and 256", c.Partition)
	}
	if !slices.Contains([]int{0, 1, 3, 5}, c.Replicas) {
		bad("replicas: %d is none of 1, 3, 5", c.Replicas)
	}
	if c.Replicas > 1 && c.NATS == "" {
		bad("replicas: %d need a NATS cluster: give --nats", c.Replicas)
	}
	if c.RateLimit < 0 {
		bad("rate-limit: %v is negative", c.RateLimit)
	}
	if c.Visitors < 0 {
		bad("visitor-rate-limit: %v is negative", c.Visitors)
	}
	if _, err := web.ParseProxies(c.Proxies); err != nil {
		bad("trusted-proxies: %w", err)
	}
	if c.Drain < 0 || c.Delay < 0 {
		bad("drain, drain-delay: %s and %s: neither can be negative", c.Drain, c.Delay)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		bad("log-level: %q is none of debug, info, warn, error", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		bad("log-format: %q is neither text nor json", c.LogFormat)
	}
	if len(problems) > 0 {
		return configError{problems}
	}
	return nil
}

// logger writes to w as configured.
func (c config) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // Validate has seen to it
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// yamlFile resolves flags from a YAML file whose keys are the names of flags.
type yamlFile map[string]any

func loadYAML(r io.Reader) (kong.Resolver, error) {
	values := yamlFile{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	return values, nil
}

// Validate refuses keys that are no flag of any command: a misspelt setting must not be silently ignored.
func (y yamlFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(y)) {
		if !known[key] {
			problems = append(problems, fmt.Errorf("configuration file: %q is no setting; see 'tidemark serve --help'", key))
		}
	}
	return errors.Join(problems...)
}

// Resolve gives the value of one flag, nil when the file does not set it.
func (y yamlFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	switch v := y[flag.Name].(type) {
	case nil:
		return nil, nil //nolint:nilnil // kong's way to say: not set here
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = fmt.Sprint(part)
		}
		return strings.Join(parts, ","), nil
	default:
		return fmt.Sprint(v), nil
	}
}

// configCommand prints the configuration.
type configCommand struct {
	Server config `embed:""`
}

// Run prints what serve would use.
func (c *configCommand) Run(p *printer) error {
	s := c.Server
	rows := [][]string{
		{"targets", strings.Join(s.Targets, ",")},
		{"data", s.Data},
		{"listen", s.Listen},
		{"nats", redactServers(s.NATS)},
		{"postgres", redact(s.Postgres)},
		{"search", redact(s.Search)},
		{"search-api-key", secret(s.SearchKey)},
		{"search-ca", s.SearchCA},
		{"attachments", s.Files},
		{"partitions", strconv.Itoa(s.Partition)},
		{"replicas", strconv.Itoa(s.Replicas)},
		{"rate-limit", fmt.Sprint(s.RateLimit)},
		{"visitor-rate-limit", fmt.Sprint(s.Visitors)},
		{"trusted-proxies", strings.Join(s.Proxies, ",")},
		{"operator-org", s.Operator},
		{"drain", s.Drain.String()},
		{"drain-delay", s.Delay.String()},
		{"log-level", s.LogLevel},
		{"log-format", s.LogFormat},
		{"pprof", strconv.FormatBool(s.Pprof)},
	}
	if p.json {
		values := map[string]string{}
		for _, r := range rows {
			values[r[0]] = r[1]
		}
		return p.object(values)
	}
	return p.table([]string{"SETTING", "VALUE"}, rows)
}

// makeDataDir makes the data directory and says what to do when that cannot be.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // the private database runs as another user and must pass through; what is secret inside has modes of its own
		return configError{[]error{fmt.Errorf("data: cannot make %s: %w; give a directory that you may write with --data DIR", dir, err)}}
	}
	probe, err := os.CreateTemp(dir, ".write-*")
	if err != nil {
		return configError{[]error{fmt.Errorf("data: cannot write in %s: %w; give a directory that you may write with --data DIR", dir, err)}}
	}
	_ = probe.Close()
	return os.Remove(probe.Name())
}

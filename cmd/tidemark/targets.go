package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tidemark-desk/tidemark/internal/aggregates"
	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/command"
	"github.com/tidemark-desk/tidemark/internal/directory"
	"github.com/tidemark-desk/tidemark/internal/erasure"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/intake"
	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/presence"
	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/internal/typing"
	"github.com/tidemark-desk/tidemark/internal/web"
	"github.com/tidemark-desk/tidemark/projections"
	"github.com/tidemark-desk/tidemark/projections/customers"
	"github.com/tidemark-desk/tidemark/projections/inbox"
	"github.com/tidemark-desk/tidemark/projections/migrations"
	"github.com/tidemark-desk/tidemark/projections/search"
	"github.com/tidemark-desk/tidemark/projections/search/bleve"
	"github.com/tidemark-desk/tidemark/projections/search/elastic"
	"github.com/tidemark-desk/tidemark/projections/surveys"
	"github.com/tidemark-desk/tidemark/projections/timeline"
	"github.com/tidemark-desk/tidemark/services/api"
	"github.com/tidemark-desk/tidemark/services/chat"
	"github.com/tidemark-desk/tidemark/services/chat/widget"
	"github.com/tidemark-desk/tidemark/services/eraser"
	"github.com/tidemark-desk/tidemark/services/routing"
	"github.com/tidemark-desk/tidemark/services/searchindexer"
	"github.com/tidemark-desk/tidemark/services/survey"
	"github.com/tidemark-desk/tidemark/services/workflow"
)

// readModels are the projections that the lag of a desk is told of. Each can be rebuilt: by the target that runs it.
var readModels = []string{"inbox", "timeline", "customers", "surveys", "routing", "workflow", survey.Name, eraser.Name}

func readModelHandlers() []projections.Handler {
	return []projections.Handler{inbox.Projection{}, timeline.Projection{}, customers.Projection{}, surveys.Projection{}}
}

// readSchemas are where readers look for tables.
const readSchemas = "inbox,timeline,customers,surveys,tidemark"

// desk is one process: what all its targets share, and the targets themselves. It is built in three steps, each of
// which can be undone by close: open (the log, pools), wire (the targets), and then run.
type desk struct {
	config
	logger   *slog.Logger
	registry *prometheus.Registry
	log      *eventlog.Log
	group    *run.Group

	loop      *command.Loop
	directory *directory.Directory
	intake    *intake.Intake
	typing    *typing.Hub
	files     *attachment.Files
	eraser    *erasure.Eraser

	migrated chan struct{} // closed once the database has the engine's tables
	embedded *embedded     // nil with a database by URL, or when no target needs one
	reads    *pgxpool.Pool // for readers: search_path has every read model
	writes   *pgxpool.Pool // for projections and reactors

	pace *projections.Pace // of all projections of this process

	searchOwner *flock.Flock // see elastic.Owner; nil: not needed

	checks  []web.Check
	drain   []func()
	handler http.Handler
}

// openDesk opens what the targets share.
func openDesk(ctx context.Context, c config, logger *slog.Logger) (_ *desk, err error) {
	d := &desk{config: c, logger: logger, registry: prometheus.NewRegistry(), pace: projections.NewPace(runtime.GOMAXPROCS(0))}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close(context.WithoutCancel(ctx)))
		}
	}()
	d.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	d.log, err = eventlog.Open(ctx, eventlog.Config{
		Dir: c.Data, URL: c.NATS, Partitions: c.Partition, Replicas: c.Replicas,
		Logger: logger.With("part", "log"), Registerer: d.registry,
	})
	if err != nil {
		return nil, err
	}
	d.group = run.NewGroup(context.WithoutCancel(ctx), logger)
	d.loop = command.NewLoop(d.log, command.Options{Logger: logger})
	d.directory = directory.New(d.log, logger.With("part", "directory"))
	d.intake = intake.New(d.loop, d.directory)
	d.typing = typing.New(d.log.Conn())
	d.group.Go("typing", d.typing.Run)
	if c.has("api") || c.has("chat") || c.has("projections") { // take and show files, or end erasures
		if err = d.openFiles(); err != nil {
			return nil, err
		}
		d.eraser = erasure.New(d.log, d.loop, d.directory, d.files)
	}
	d.group.Go("directory", d.directory.Run)
	if slices.ContainsFunc([]string{"api", "projections", "routing", "workflow", "survey"}, c.has) {
		if err = d.openDatabase(ctx); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// openFiles opens where attachments are kept. Nothing is asked of a bucket yet: chat starts without it.
func (d *desk) openFiles() error {
	location := d.Files
	if location == "" {
		location = filepath.Join(d.Data, "attachments")
	}
	store, err := blob.Open(location)
	if err != nil {
		return err
	}
	d.files = attachment.New(attachment.Deps{Store: store, Directory: d.directory, Logger: d.logger.With("part", "attachments")})
	return nil
}

// openDatabase makes the pools. Neither waits for a server: accepting and chat need none.
func (d *desk) openDatabase(ctx context.Context) (err error) {
	url := d.Postgres
	var find func(ctx context.Context) (string, error)
	if url == "" {
		d.embedded = newEmbedded(postgres.Config{Dir: d.Data, Connections: d.connections(), Logger: d.logger.With("part", "postgres")})
		d.group.Go("postgres", d.embedded.run)
		url, find = "postgres:///tidemark", d.embedded.url
	}
	d.reads, err = postgres.Connect(ctx, url, postgres.Options{ApplicationName: "tidemark-reads", SearchPath: readSchemas, Lazy: true, Find: find})
	if err != nil {
		return err
	}
	d.writes, err = postgres.Connect(ctx, url, postgres.Options{ApplicationName: "tidemark-writes", MaxConns: 64, Lazy: true, Find: find})
	if err != nil {
		return err
	}
	d.migrated = make(chan struct{})
	d.group.Go("migrations", func(ctx context.Context) error {
		if err := d.migrate(ctx, find); err != nil {
			return err
		}
		d.checkRoom(ctx)
		close(d.migrated)
		return nil
	})
	return nil
}

// connections is how many the database must allow for all targets of one process: each partition of a projection holds
// one, and so does each partition that is built anew beside it.
func (d *desk) connections() int {
	const projections, others = 8, 100 // readers, performers, rebuilders, and whoever looks into it by hand
	return 2*projections*d.log.Partitions() + others
}

// checkRoom warns when the database allows fewer: some partitions would wait for ever.
func (d *desk) checkRoom(ctx context.Context) {
	var most int
	err := d.reads.QueryRow(ctx, "SELECT current_setting('max_connections')::int").Scan(&most)
	if err == nil && most < d.connections() {
		d.logger.WarnContext(ctx, "the database allows few connections: raise max_connections, or some projections may wait for one",
			"max_connections", most, "wanted", d.connections())
	}
}

// onTables runs a part that needs the database's tables, as soon as they are there.
func (d *desk) onTables(name string, part func(ctx context.Context) error) {
	d.group.Go(name, func(ctx context.Context) error {
		select {
		case <-d.migrated:
			return part(ctx)
		case <-ctx.Done():
			return nil
		}
	})
}

func (d *desk) migrate(ctx context.Context, find func(ctx context.Context) (string, error)) error {
	url := d.Postgres
	if find != nil {
		select { // the first start of a private database takes a while
		case <-d.embedded.started:
		case <-ctx.Done():
			return nil
		}
		var err error
		if url, err = find(ctx); err != nil {
			return err
		}
	}
	return postgres.Migrate(ctx, url, migrations.Files)
}

// moreThreads lets more goroutines run at a time than there are processors, where some only compute: the search index,
// backlogs, the collector. A goroutine gives its thread up after 10 ms, and what happens now would wait for that at each
// of its many short steps. Threads are scheduled by the kernel, which prefers those that have slept. An environment that
// sets GOMAXPROCS has the last word.
func moreThreads() {
	const factor = 4
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(factor * runtime.GOMAXPROCS(0))
	}
}

// wire makes the targets of this process. The order means nothing: none of them needs another.
func (d *desk) wire() error {
	mux := http.NewServeMux()
	for _, t := range []struct {
		name string
		wire func(*http.ServeMux) error
	}{
		{"projections", d.wireProjections},
		{"routing", d.wireRouting},
		{"workflow", d.wireWorkflow},
		{"survey", d.wireSurvey},
		{"search-indexer", d.wireSearchIndexer},
		{"chat", d.wireChat},
		{"api", d.wireAPI},
	} {
		if !d.has(t.name) {
			continue
		}
		if err := t.wire(mux); err != nil {
			return fmt.Errorf("start %s: %w", t.name, err)
		}
	}
	if slices.ContainsFunc([]string{"projections", "routing", "workflow", "survey", "search-indexer"}, d.has) {
		moreThreads()
	}
	if d.has("api") || d.has("chat") { // either hands out links
		mux.Handle(attachment.Path, web.CutOff(d.files.Handler(), web.BodyTimeout))
	}
	if !d.has("api") { // the api has these pages itself
		ops := web.NewOps(d.logger, d.registry, d.allChecks()...)
		d.drain = append(d.drain, ops.Drain)
		mux.Handle("/", web.CutOff(ops, web.BodyTimeout))
	}
	if d.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	d.handler = mux
	return nil
}

func (d *desk) wireProjections(*http.ServeMux) error {
	handlers := readModelHandlers()
	for _, h := range handlers {
		d.project(h)
	}
	rebuilder := projections.NewRebuilder(projections.RebuilderConfig{
		Pool: d.writes, Log: d.log, Handlers: handlers, Logger: d.logger.With("part", "rebuilder"), Pace: d.pace,
	})
	d.onTables("rebuilder", rebuilder.Run)
	s := eraser.New(eraser.Deps{
		Log: d.log, Pool: d.writes, Eraser: d.eraser,
		Logger: d.logger.With("part", eraser.Name), Registerer: d.registry, Pace: d.pace,
	})
	d.onTables(eraser.Name, s.Run)
	d.check(eraser.Name, s.Status)
	return nil
}

// project runs one read model.
func (d *desk) project(h projections.Handler) {
	runner := projections.NewRunner(projections.RunnerConfig{
		Name: h.Name(), Kinds: h.Kinds(), Log: d.log, Sink: projections.NewPostgresSink(d.writes, h, d.log),
		Logger: d.logger.With("part", h.Name()), Registerer: d.registry, Pace: d.pace,
	})
	d.onTables(h.Name(), runner.Run)
	d.check(h.Name(), runner.Status)
}

func (d *desk) wireRouting(*http.ServeMux) error {
	s := routing.New(routing.Deps{
		Log: d.log, Pool: d.writes, Directory: d.directory, Loop: d.loop, Conversations: aggregates.Conversations(d.loop),
		Logger: d.logger.With("part", "routing"), Registerer: d.registry, Pace: d.pace,
	})
	d.onTables("routing", s.Run)
	d.check("routing", s.Status)
	return nil
}

func (d *desk) wireWorkflow(*http.ServeMux) error {
	s := workflow.New(workflow.Deps{
		Log: d.log, Pool: d.writes, Directory: d.directory, Conversations: aggregates.Conversations(d.loop), Runs: aggregates.Runs(d.loop),
		Logger: d.logger.With("part", "workflow"), Registerer: d.registry, Pace: d.pace,
	})
	d.onTables("workflow", s.Run)
	d.check("workflow", s.Status)
	return nil
}

func (d *desk) wireSurvey(*http.ServeMux) error {
	s := survey.New(survey.Deps{
		Log: d.log, Pool: d.writes, Directory: d.directory, Conversations: aggregates.Conversations(d.loop),
		Logger: d.logger.With("part", survey.Name), Registerer: d.registry, Pace: d.pace,
	})
	d.onTables(survey.Name, s.Run)
	d.check(survey.Name, s.Status)
	return nil
}

func (d *desk) wireSearchIndexer(*http.ServeMux) error {
	deps := searchindexer.Deps{
		Log: d.log, Conn: d.log.Conn(), Logger: d.logger.With("part", "search-indexer"), Registerer: d.registry, Pace: d.pace,
	}
	if err := d.searchEngine(&deps); err != nil {
		return err
	}
	s := searchindexer.New(deps)
	d.group.Go("search-indexer", s.Run)
	d.checks = append(d.checks, web.Check{Name: "search-indexer", Err: func() error {
		status := s.Status()
		switch {
		case status.Healthy:
			return nil
		case status.State != searchindexer.StateRunning:
			return unwell(status.State, status.Reason)
		}
		return unhealthy(status.Partitions)
	}})
	return nil
}

// searchEngine says how the configured engine is opened.
func (d *desk) searchEngine(deps *searchindexer.Deps) error {
	if dir, local := strings.CutPrefix(d.Search, "file://"); local || !strings.Contains(d.Search, "://") {
		if dir == "" {
			dir = filepath.Join(d.Data, "search")
		}
		deps.Engine, deps.Fingerprint = "bleve", bleve.Fingerprint()
		deps.Open = func(ctx context.Context) (search.Engine, error) {
			return bleve.OpenIndexes(ctx, bleve.Config{Dir: dir, Incarnation: d.log.Incarnation(), Partitions: d.log.Partitions()}, d.log, d.logger)
		}
		return nil
	}
	c, err := elastic.ParseURL(d.Search, d.SearchCA)
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	c.APIKey, c.Incarnation, c.Partitions = d.SearchKey, d.log.Incarnation(), d.log.Partitions()
	c.Metrics = elastic.NewMetrics(d.registry)
	deps.Engine, deps.Fingerprint = "elasticsearch", elastic.Fingerprint()
	if err := makeDataDir(d.Data); err != nil {
		return err
	}
	if c.Owner, d.searchOwner, err = elastic.Owner(d.Data); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	deps.Open = func(ctx context.Context) (search.Engine, error) { return elastic.OpenIndexes(ctx, c, d.log, d.logger) }
	return nil
}

func (d *desk) wireChat(mux *http.ServeMux) error {
	proxies, err := web.ParseProxies(d.Proxies)
	if err != nil {
		return err
	}
	s := chat.New(chat.Deps{
		Log: d.log, Loop: d.loop, Directory: d.directory, Intake: d.intake, Typing: d.typing, Files: d.files,
		Logger: d.logger.With("part", "chat"), Registerer: d.registry,
		Proxies: proxies,
		// An address may be a whole office that comes to work; a site may be in the news. What docs/operations.md says.
		Requests: web.Limit{PerSecond: d.Visitors, Burst: int(4 * d.Visitors)},
		Senders:  web.Limit{PerSecond: 4 * d.Visitors, Burst: int(20 * d.Visitors)},
		Messages: web.Limit{PerSecond: 100 * d.Visitors, Burst: int(200 * d.Visitors)},
		Sessions: web.Limit{PerSecond: d.Visitors / 5, Burst: int(6 * d.Visitors)},
		Sites:    web.Limit{PerSecond: 20 * d.Visitors, Burst: int(40 * d.Visitors)},
		// A file costs far more than a message.
		Uploads:   web.Limit{PerSecond: d.Visitors / 10, Burst: int(4 * d.Visitors)},
		Uploaders: web.Limit{PerSecond: d.Visitors / 2, Burst: int(8 * d.Visitors)},
	})
	d.group.Go("chat", s.Run)
	d.group.Go("forgotten uploads", func(ctx context.Context) error { return d.files.RunSweeps(ctx, s.Exists) })
	mux.Handle("/chat/", s.Handler())
	widget.Mount(mux)
	widget.MountDemo(mux, d.hasDemo)
	return nil
}

func (d *desk) wireAPI(mux *http.ServeMux) error {
	there := presence.New(presence.Deps{
		Conn: d.log.Conn(), Agents: aggregates.Agents(d.loop), Directory: d.directory, Logger: d.logger.With("part", "presence"),
	})
	d.group.Go("presence", there.Run)
	freshness := projections.NewFreshness(d.reads, d.log)
	finder := &search.Client{Conn: d.log.Conn()}
	s, err := api.New(api.Deps{
		Log: d.log, Loop: d.loop, Directory: d.directory, Intake: d.intake, Typing: d.typing, Eraser: d.eraser,
		Presence: there, Files: d.files,
		Reads: api.Reads{
			Inbox:     inbox.NewReader(d.reads),
			Timeline:  timeline.NewReader(d.reads),
			Customers: customers.NewReader(d.reads),
			Surveys:   surveys.NewReader(d.reads),
			Search:    finder,
			Freshness: freshness,
		},
		Admin: api.Operator{Pool: d.reads, Index: finder}, Rebuilds: finder, Models: readModels, OperatorOrg: d.Operator,
		Ledger:   api.NewLedger(d.log, d.reads, freshness, finder, 10*time.Second),
		Gatherer: d.registry, Health: d.allChecks(),
		Logger: d.logger.With("part", "api"),
		Limit:  web.Limit{PerSecond: d.RateLimit, Burst: int(2 * d.RateLimit)},
	})
	if err != nil {
		return err
	}
	d.group.Go("api", s.Run)
	d.drain = append(d.drain, s.Drain)
	mux.Handle("/", s.Handler())
	return nil
}

// check makes a projection's health part of /readyz.
func (d *desk) check(name string, status func() []projections.Status) {
	d.checks = append(d.checks, web.Check{Name: name, Err: func() error { return unhealthy(status()) }})
}

// unhealthy is why one of the partitions is not well; nil when all are.
func unhealthy(partitions []projections.Status) error {
	for _, s := range partitions {
		switch {
		case s.Healthy:
		case s.Phase == projections.PhaseStopped:
			return unwell("stopped", fmt.Sprintf("partition %d: %s", s.Partition, s.Reason))
		default:
			return unwell("stalled", fmt.Sprintf("partition %d: %s", s.Partition, s.Reason))
		}
	}
	return nil
}

// unwell is a word for everybody who asks /readyz, and the whole reason for the log.
func unwell(word, reason string) error { return fault.New(fault.Unavailable, word, reason) }

// allChecks are what every process tells of itself, and what its targets added.
func (d *desk) allChecks() []web.Check {
	own := []web.Check{{Name: "log", Err: d.log.Err}}
	return append(own, d.checks...)
}

// close stops everything in the order that loses nothing: parts first, then what they stand on.
func (d *desk) close(ctx context.Context) error {
	var all []error
	if d.group != nil {
		all = append(all, d.group.Stop(ctx))
	}
	for _, pool := range []*pgxpool.Pool{d.reads, d.writes} {
		if pool != nil {
			pool.Close()
		}
	}
	if d.embedded != nil {
		all = append(all, d.embedded.stop(ctx))
	}
	if d.log != nil {
		all = append(all, d.log.Close())
	}
	if d.searchOwner != nil {
		all = append(all, d.searchOwner.Unlock())
	}
	return errors.Join(all...)
}

// Command tidemark is the customer-support backend: every service of it, and the tools to look after one.
//
// main is signals and the exit code; execute does the work and is what tests call. All the wiring of parts is in
// targets.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// The exit codes, as docs/operations.md lists them.
const (
	exitOK          = 0
	exitFailed      = 1 // it ran and the answer is no: a hole in the ledger, a difference in a comparison, an error
	exitUsage       = 2 // the command line or the configuration is wrong
	exitUnavailable = 3 // what it needs cannot be reached
	exitNotFound    = 4 // what it names is not there
	exitRefused     = 5 // the server understood and refused: conflict, limits, rights
)

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv})
	stop()
	os.Exit(code)
}

// cli is every command.
type cli struct {
	Config kong.ConfigFlag `help:"YAML file with any of the flags of serve; flags and TIDEMARK_… variables win over it." placeholder:"FILE" env:"TIDEMARK_CONFIG"`
	JSON   bool            `help:"Print JSON instead of tables."`

	Serve      serveCommand      `cmd:"" help:"Run the desk, or some parts of it."`
	Import     importCommand     `cmd:"" help:"Bring conversations in from JSONL files."`
	Lag        lagCommand        `cmd:"" help:"How far each part is behind the log."`
	Parked     parkedCommand     `cmd:"" help:"Look after events that a projection could not apply."`
	Search     searchCommand     `cmd:"" help:"Look after the search indexes: status, rebuild, verify, switch, rollback, drop."`
	Projection projectionCommand `cmd:"" help:"Look after projections: list, rebuild, compare, switch, drop."`
	Ledger     ledgerCommand     `cmd:"" help:"Prove that everything accepted is in every read model; exit 1 on a hole."`
	Customer   customerCommand   `cmd:"" help:"The people whom the desk helps: list, show, erase."`
	Org        orgCommand        `cmd:"" help:"Orgs."`
	Agent      agentCommand      `cmd:"" help:"The people who work at the desk."`
	Key        keyCommand        `cmd:"" help:"API keys."`
	Channel    channelCommand    `cmd:"" help:"The ways by which customers reach the desk: list, show, create, set, disable, enable."`
	Widget     widgetCommand     `cmd:"" help:"Print the element that puts the chat on a page."`
	Bench      benchCommand      `cmd:"" help:"Measure this machine: every line beside the raw limit of the same run."`
	ConfigShow configCommand     `cmd:"" name:"config" help:"Print the configuration that serve would use, and what is wrong with it."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

func execute(ctx context.Context, args []string, s streams) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("tidemark"),
		kong.Description("A customer-support backend that loses nothing: one log is the truth, everything else can be rebuilt from it."),
		kong.UsageOnError(),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exited = code }),
		kong.Configuration(loadYAML),
		kong.Vars{"enum_targets": strings.Join(allTargets, ", ")},
		kong.Bind(s),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "tidemark:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "tidemark: %v\n", err)
		_, _ = fmt.Fprintln(s.err, "Run 'tidemark --help' or 'tidemark COMMAND --help'.")
		return exitUsage
	}
	err = parsed.Run(&printer{out: s.out, json: c.JSON}, commandPath(parsed.Command()))
	if err != nil && !errors.Is(err, errSaid) {
		_, _ = fmt.Fprintf(s.err, "tidemark: %v\n", err)
	}
	return exitCode(err)
}

// errSaid is returned by a command that has already told everything and only wants exit code 1.
var errSaid = errors.New("said")

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[configError](err); ok {
		return exitUsage
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return exitUsage
	case fault.Unavailable, fault.TooMany:
		return exitUnavailable
	case fault.NotFound:
		return exitNotFound
	case fault.Conflict, fault.Forbidden, fault.Unauthenticated:
		return exitRefused
	default:
		return exitFailed
	}
}

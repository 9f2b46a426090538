// Command with-postgres runs a command with a PostgreSQL of its own, which is gone when the command ends:
//
//	go run ./scripts/with-postgres go test ./...
//
// All test binaries of the run share it through TIDEMARK_TEST_POSTGRES. When that is set already, it only runs the
// command.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/tidemark-desk/tidemark/internal/postgres"
	"github.com/tidemark-desk/tidemark/internal/testkit"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with-postgres COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "with-postgres:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // running what it is given is its purpose
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if os.Getenv(testkit.PostgresVariable) != "" {
		return cmd.Run()
	}
	testkit.SweepDirs(ctx)
	dir, err := testkit.NewDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := postgres.Start(ctx, postgres.Config{Dir: dir, Volatile: true})
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), testkit.PostgresVariable+"="+server.ConnString("postgres"))
	err = cmd.Run()

	hurry, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cancel() // nothing in there is worth a checkpoint
	return errors.Join(err, server.Stop(hurry))
}

package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// maxPayload is the largest event that the embedded server takes: a text of 1 MiB stays below it however it is escaped.
const maxPayload = 8 << 20

// noLimit of the store: left alone, the server would take no more than three quarters of what was free when it started,
// and count what it stores as if it were not compressed. The disk is the limit.
const noLimit = 1 << 60

// embedded is a nats-server in this process, alone on its directory.
type embedded struct {
	server *server.Server
	lock   *flock.Flock
	dir    string
	shut   atomic.Bool // the store, while nothing can be written to it
}

func startEmbedded(ctx context.Context, c Config, logger *slog.Logger) (*embedded, error) {
	dir := filepath.Join(c.Dir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the log's directory: %w (give a data directory that this user may write)", err)
	}
	lock, err := lockDir(c.Dir, dir)
	if err != nil {
		return nil, err
	}
	e := &embedded{lock: lock, dir: dir}
	if err := e.start(ctx, c, dir, logger); err != nil {
		_ = e.stop()
		return nil, err
	}
	return e, nil
}

func (e *embedded) start(ctx context.Context, c Config, dir string, logger *slog.Logger) error {
	o := &server.Options{
		ServerName: "tidemark",
		DontListen: true,
		JetStream:  true,
		StoreDir:   dir,
		SyncAlways: true, // without it an acknowledged write may be lost in a crash
		MaxPayload: maxPayload,
		NoSigs:     true,
		NoLog:      true,

		JetStreamMaxStore:      noLimit,
		DisableJetStreamBanner: true,
	}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return fmt.Errorf("listen on %q: %w (give host:port)", c.Listen, err)
		}
		if o.Port, err = strconv.Atoi(port); err != nil {
			return fmt.Errorf("listen on %q: %w (give a port number)", c.Listen, err)
		}
		if o.Port == 0 {
			o.Port = server.RANDOM_PORT
		}
		o.Host, o.DontListen = host, false
	}
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("start the embedded log: %w", err)
	}
	bridge := &serverLogger{logger: logger.With("component", "nats")}
	s.SetLoggerV2(bridge, false, false, false)
	e.server = s
	s.Start()
	ready := make(chan bool, 1)
	go func() { ready <- s.ReadyForConnections(openTimeout) }()
	select {
	case ok := <-ready:
		if ok && s.JetStreamEnabled() {
			return nil
		}
	case <-ctx.Done():
	}
	return fmt.Errorf("start the embedded log in %s: %w", dir, bridge.cause())
}

// stop ends the server, which writes its index, and gives the directory free.
func (e *embedded) stop() error {
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	if err := e.lock.Unlock(); err != nil {
		return fmt.Errorf("unlock the log's directory: %w", err)
	}
	return nil
}

// lockDir takes the directory for this process; two servers on the same files would destroy them.
func lockDir(data, dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, "LOCK")
	lock := flock.New(path, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data directory %s: %w (give a data directory that this user may write)", data, err)
	}
	if !ok {
		holder := "another process"
		if pid, err := os.ReadFile(path); err == nil && len(pid) > 0 {
			holder = "process " + strings.TrimSpace(string(pid))
		}
		return nil, fault.Newf(fault.Unavailable, "data_directory_in_use", "the data directory %s is in use by %s", data, holder).
			WithHint("stop it, or give another directory with --data")
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), lock.Unlock())
	}
	return lock, nil
}

// serverLogger gives the server's lines to slog and remembers the last error, which says why a start failed.
type serverLogger struct {
	logger *slog.Logger
	last   lastError
}

func (l *serverLogger) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *serverLogger) Warnf(format string, v ...any)   { l.line(slog.LevelWarn, format, v) }
func (l *serverLogger) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l *serverLogger) Tracef(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }

func (l *serverLogger) Fatalf(format string, v ...any) {
	l.last.set(fmt.Errorf(format, v...))
	l.line(slog.LevelError, format, v)
}

func (l *serverLogger) Errorf(format string, v ...any) {
	l.last.set(fmt.Errorf(format, v...))
	l.line(slog.LevelError, format, v)
}

func (l *serverLogger) line(level slog.Level, format string, v []any) {
	ctx := context.TODO() //nolint:forbidigo // the server's callback has no context, and slog wants one
	if l.logger.Enabled(ctx, level) {
		l.logger.Log(ctx, level, "nats-server", "line", fmt.Sprintf(format, v...))
	}
}

func (l *serverLogger) cause() error {
	if err := l.last.get(); err != nil {
		return err
	}
	return fmt.Errorf("it was not ready after %s", openTimeout.Round(time.Second))
}

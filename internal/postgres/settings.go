package postgres

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// settings are right for a desk: one machine, small transactions, read models that can be built again. An operator's
// own go to local.conf beside the file they are written to, and win.
func (s *Server) settings() string {
	var b strings.Builder
	set := func(name string, value any) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(fmt.Sprint(value), "'", "''"))
	}

	b.WriteString("# Written by tidemark at each start. Put your own settings into local.conf in this directory.\n")
	set("listen_addresses", "")
	set("port", socketPort)
	set("unix_socket_directories", s.sockets)
	set("unix_socket_permissions", "0700")
	set("max_connections", cmp.Or(s.cfg.Connections, 100))

	set("shared_buffers", "128MB")
	set("work_mem", "8MB")
	set("maintenance_work_mem", "64MB")
	set("dynamic_shared_memory_type", "posix")
	set("max_parallel_workers_per_gather", 0) // one query must not take the other core from accepting

	// Nobody replicates from here: the log is the truth, and what can be built again needs no archive.
	set("wal_level", "minimal")
	set("max_wal_senders", 0)
	set("wal_compression", "on")
	set("max_wal_size", "1GB")
	set("min_wal_size", "80MB")
	set("checkpoint_timeout", "15min")

	set("random_page_cost", 1.1)
	set("jit", "off") // the queries are short, compiling them takes longer than running them
	if runtime.GOOS == "linux" {
		set("effective_io_concurrency", 64) // elsewhere the server refuses it
	}
	set("autovacuum", "on")
	set("autovacuum_naptime", "15s")                   // small tables that change all the time: inbox, checkpoints
	set("idle_in_transaction_session_timeout", "5min") // a forgotten transaction would stop vacuuming

	set("timezone", "UTC")
	set("log_timezone", "UTC")
	set("log_line_prefix", "%m [%p] %a ")
	set("log_checkpoints", "off")
	// The texts of statements hold people's data.
	set("log_min_error_statement", "panic")
	set("log_parameter_max_length_on_error", 0)

	if s.cfg.Volatile { // what was committed survives the death of the server's processes even so
		set("fsync", "off")
		set("full_page_writes", "off")
		set("max_connections", 400)
	}
	b.WriteString("include_if_exists = 'local.conf'\n")
	return b.String()
}

// configure writes the settings, in one step. Root works below the open directory, for it belongs to another user.
func (s *Server) configure() error {
	const name, fresh = "postgresql.conf", "postgresql.conf.new"
	root, err := os.OpenRoot(s.dataPath())
	if err != nil {
		return unusable(err, s.home)
	}
	defer root.Close()
	err = root.WriteFile(fresh, []byte(s.settings()), 0o600)
	if err == nil && s.owner != nil {
		err = root.Lchown(fresh, int(s.owner.uid), int(s.owner.gid))
	}
	if err == nil {
		err = root.Rename(fresh, name)
	}
	if err != nil {
		return unusable(err, s.home)
	}
	return nil
}

// Package migrations has the tables of the engine, as goose migrations of the schema tidemark.
//
// They are the progress of every projection and what waits beside it. Read models bring their own tables, which are
// never migrated but replayed; these here are kept.
package migrations

import "embed"

// Files are the migrations in their order.
//
//go:embed *.sql
var Files embed.FS

-- +goose Up
-- Intents are looked for org by org and key by key. What a look costs must not depend on how many wait: those that may be
-- performed at once, those that wait for a time, and those before one of the same key each have an index that says so.
ALTER TABLE tidemark.intents
    ADD COLUMN coalesces boolean NOT NULL DEFAULT false, -- asked for again while it waits, it stays one
    ADD COLUMN asked     bigint  NOT NULL DEFAULT 1,     -- how many times it was: who has performed it knows whether it was again meanwhile
    ADD COLUMN ready_at  timestamptz NOT NULL GENERATED ALWAYS AS (greatest(due_at, try_at)) STORED; -- -infinity: at once
ALTER TABLE tidemark.intents SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
DROP INDEX tidemark.intents_due;
CREATE INDEX intents_now ON tidemark.intents (projection, org, key) WHERE NOT failed AND ready_at = '-infinity';
CREATE INDEX intents_timed ON tidemark.intents (projection, org, ready_at, cause, id) WHERE NOT failed AND ready_at > '-infinity';
CREATE INDEX intents_key ON tidemark.intents (projection, org, key, cause, id) WHERE NOT failed;

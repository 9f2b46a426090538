-- +goose Up
CREATE SCHEMA IF NOT EXISTS tidemark;

-- How far each partition of each projection is. The row is the fence: its owner knows the epoch.
CREATE TABLE tidemark.checkpoints (
    projection   text        NOT NULL,
    partition    int         NOT NULL,
    incarnation  text        NOT NULL, -- of the log that the rows were derived from
    epoch        bigint      NOT NULL DEFAULT 0,
    checkpoint   bigint      NOT NULL DEFAULT 0,
    live_from    bigint      NOT NULL DEFAULT 0, -- 0: no live lane
    live_through bigint      NOT NULL DEFAULT 0,
    gate         bigint      NOT NULL DEFAULT 0, -- intents caused by events up to here have been written before
    reached      timestamptz, -- when the log took the event at the checkpoint
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Keys that are applied further than the checkpoint.
CREATE TABLE tidemark.ahead (
    projection text   NOT NULL,
    partition  int    NOT NULL,
    key        text   NOT NULL,
    sequence   bigint NOT NULL,
    PRIMARY KEY (projection, partition, key)
);

-- Keys that wait for an operator.
CREATE TABLE tidemark.parked (
    projection text        NOT NULL,
    partition  int         NOT NULL,
    key        text        NOT NULL,
    sequence   bigint      NOT NULL,
    type       text        NOT NULL,
    error      text        NOT NULL,
    attempts   int         NOT NULL,
    since      timestamptz NOT NULL,
    asked      text CHECK (asked IN ('retry', 'drop')),
    PRIMARY KEY (projection, partition, key)
);

-- The shape that each read model's schema was made with.
CREATE TABLE tidemark.models (
    name   text PRIMARY KEY,
    digest text NOT NULL
);

-- Effects that events ask for, until they are performed.
CREATE TABLE tidemark.intents (
    projection text        NOT NULL,
    org        text        NOT NULL,
    id         text        NOT NULL,
    kind       text        NOT NULL,
    key        text        NOT NULL,
    cause      bigint      NOT NULL,
    depth      int         NOT NULL,
    payload    jsonb       NOT NULL,
    due_at     timestamptz NOT NULL,
    try_at     timestamptz NOT NULL DEFAULT '-infinity',
    attempts   int         NOT NULL DEFAULT 0,
    failed     boolean     NOT NULL DEFAULT false,
    error      text        NOT NULL DEFAULT '',
    PRIMARY KEY (projection, org, id)
);
CREATE INDEX intents_due ON tidemark.intents (projection, due_at) WHERE NOT failed;

-- Rebuilds, one for each projection: what its operator asks and how far it is.
CREATE TABLE tidemark.rebuilds (
    projection text PRIMARY KEY,
    state      text        NOT NULL,
    asked      text        NOT NULL DEFAULT '',
    detail     text        NOT NULL DEFAULT '',
    equal      boolean,
    done       bigint      NOT NULL DEFAULT 0,
    total      bigint      NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

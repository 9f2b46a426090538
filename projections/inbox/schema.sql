-- The inbox: one row per conversation, all that a list shows, filters and sorts by.
-- '' stands for "none" in ids, so that every filter is a plain equality.
CREATE TABLE inbox_conversations (
    org                  text COLLATE "C" NOT NULL,
    id                   text COLLATE "C" NOT NULL,
    customer_id          text COLLATE "C" NOT NULL,
    channel              text COLLATE "C" NOT NULL,
    channel_id           text COLLATE "C" NOT NULL,
    subject              text             NOT NULL,
    status               text COLLATE "C" NOT NULL,
    queue_id             text COLLATE "C" NOT NULL,
    assignee_id          text COLLATE "C" NOT NULL,
    priority             smallint         NOT NULL, -- 0 low … 3 urgent
    tags                 text[]           NOT NULL, -- sorted
    tag_keys             bigint[]         NOT NULL, -- hash of org and tag, for the index; a reader checks tags too
    attributes           jsonb            NOT NULL,
    merged_into          text COLLATE "C" NOT NULL,
    created_at           timestamptz      NOT NULL,
    updated_at           timestamptz      NOT NULL,
    last_message_at      timestamptz,
    last_message_from    text             NOT NULL,
    last_message_preview text             NOT NULL,
    message_count        integer          NOT NULL,
    note_count           integer          NOT NULL,
    unread_by_desk       integer          NOT NULL,
    unread_by_customer   integer          NOT NULL,
    waiting_since        timestamptz,
    snoozed_until        timestamptz,
    recent               bigint[]         NOT NULL, -- hashes of the newest messages, to place a read mark
    sequence             bigint           NOT NULL, -- of the last event in this row
    PRIMARY KEY (org, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

-- One per sort. "Any status" merges three short scans of the same index, one per status.
CREATE INDEX inbox_by_updated ON inbox_conversations (org, status, updated_at, id);
CREATE INDEX inbox_by_created ON inbox_conversations (org, status, created_at, id);
CREATE INDEX inbox_by_waiting ON inbox_conversations (org, status, (coalesce(waiting_since, 'infinity'::timestamptz)), id);
CREATE INDEX inbox_by_priority ON inbox_conversations (org, status, priority, id);
-- One per filter, in the order of the default sort.
CREATE INDEX inbox_by_queue ON inbox_conversations (org, queue_id, status, updated_at, id);
CREATE INDEX inbox_by_assignee ON inbox_conversations (org, assignee_id, status, updated_at, id);
CREATE INDEX inbox_by_channel ON inbox_conversations (org, channel, status, updated_at, id);
CREATE INDEX inbox_by_customer ON inbox_conversations (org, customer_id);
CREATE INDEX inbox_by_tag ON inbox_conversations USING gin (tag_keys) WHERE tag_keys <> '{}';

-- What became of customers: merged into another, erased, or both. Its lock orders erasures against writers.
CREATE TABLE inbox_customers (
    org         text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    into_id     text COLLATE "C" NOT NULL, -- '' when not merged
    erased      boolean          NOT NULL,
    PRIMARY KEY (org, customer_id)
);
CREATE INDEX inbox_customers_by_into ON inbox_customers (org, into_id) WHERE into_id <> '';

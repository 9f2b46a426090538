-- One row per run: a rule met an event. Kept for ever, because the budget and the question "why did it answer that"
-- both need it.
CREATE TABLE workflow_runs (
    run_id          text        NOT NULL PRIMARY KEY,
    org             text        NOT NULL,
    rule_id         text        NOT NULL,
    rule_revision   bigint      NOT NULL,
    conversation_id text        NOT NULL,
    event_sequence  bigint      NOT NULL,
    event_time      timestamptz NOT NULL,
    state           text        NOT NULL, -- running, done, failed, suppressed
    reason          text        NOT NULL, -- why it failed or was suppressed
    steps           smallint    NOT NULL,
    steps_done      smallint    NOT NULL
) WITH (fillfactor = 90);

CREATE INDEX workflow_runs_conversation ON workflow_runs (org, conversation_id, event_time);

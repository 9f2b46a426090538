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
    suppressed      text        NOT NULL, -- why it was not begun; empty: it was
    steps           smallint    NOT NULL
);

CREATE INDEX workflow_runs_conversation ON workflow_runs (org, conversation_id, event_time);

-- What came of each step that was taken. A table of its own, because a step may be known before its run is: a run is
-- known by an event of the conversation, a step without an event there by one of the run, and nothing is promised about
-- their order.
CREATE TABLE workflow_steps (
    run_id  text     NOT NULL,
    step    smallint NOT NULL,
    refused boolean  NOT NULL,
    reason  text     NOT NULL, -- why it was refused, or had nothing to do; empty: it changed the conversation
    PRIMARY KEY (run_id, step)
);

-- How each run stands, for people who ask.
CREATE VIEW workflow_run_states AS
SELECT r.run_id, r.org, r.rule_id, r.rule_revision, r.conversation_id, r.event_sequence, r.event_time,
       CASE WHEN r.suppressed <> '' THEN 'suppressed' WHEN s.refused THEN 'failed' WHEN s.done >= r.steps THEN 'done' ELSE 'running' END AS state,
       CASE WHEN r.suppressed <> '' THEN r.suppressed ELSE s.why END AS reason, -- why it was suppressed or failed
       r.steps, s.done AS steps_done
FROM workflow_runs r
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(refused), false) AS refused, count(*) FILTER (WHERE NOT refused) AS done,
           coalesce(max(reason) FILTER (WHERE refused), '') AS why
    FROM workflow_steps WHERE run_id = r.run_id
) s;

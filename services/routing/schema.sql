-- One row per conversation: what routing has to know of it, folded from its events.
CREATE TABLE work_items (
    org             text        NOT NULL,
    conversation_id text        NOT NULL,
    status          text        NOT NULL,
    merged          boolean     NOT NULL,
    queue_id        text        NOT NULL,
    assignee_id     text        NOT NULL,
    priority        smallint    NOT NULL,
    waiting_since   timestamptz NOT NULL,
    version         bigint      NOT NULL,
    assigned_revision     bigint      NOT NULL,
    assigned_time   timestamptz NOT NULL,
    snoozed_revision      bigint      NOT NULL,
    sequence        bigint      NOT NULL,
    PRIMARY KEY (org, conversation_id)
) WITH (fillfactor = 80);

CREATE INDEX work_items_waiting ON work_items (org, queue_id, priority DESC, waiting_since, conversation_id)
    WHERE status = 'open' AND assignee_id = '' AND NOT merged;
CREATE INDEX work_items_held ON work_items (org, assignee_id)
    WHERE status = 'open' AND assignee_id <> '';

-- When each agent last got a conversation, from whomever: who is idle for longest is asked first.
CREATE TABLE routing_agents (
    org           text        NOT NULL,
    agent_id      text        NOT NULL,
    last_assigned timestamptz NOT NULL,
    PRIMARY KEY (org, agent_id)
);

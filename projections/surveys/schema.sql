-- One row for each closing that a survey was owed for: what came of it, and whose it was. '' stands for "none" in ids.
CREATE TABLE surveys (
    org             text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    channel_id      text COLLATE "C" NOT NULL,
    queue_id        text COLLATE "C" NOT NULL, -- when the conversation was closed
    agent_id        text COLLATE "C" NOT NULL,
    decided_at      timestamptz      NOT NULL, -- when the visitor was asked, or it was decided not to
    asked           boolean          NOT NULL,
    status          text COLLATE "C" NOT NULL, -- waiting, answered, expired, excused
    score           smallint         NOT NULL, -- 0 while there is no answer
    comment         text             NOT NULL,
    sequence        bigint           NOT NULL, -- of the last event in this row
    PRIMARY KEY (org, id)
);
CREATE INDEX surveys_by_time ON surveys (org, decided_at);
CREATE INDEX surveys_by_conversation ON surveys (org, conversation_id);

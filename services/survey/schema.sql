-- The chat conversations that began on a channel, and how often each was closed.
CREATE TABLE survey_conversations (
    org        text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    channel_id text COLLATE "C" NOT NULL,
    closings   integer          NOT NULL,
    PRIMARY KEY (org, id)
);

-- What was said and done in each conversation, one row per entry, never changed.
CREATE TABLE timeline_entries (
    org             text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    sequence        bigint           NOT NULL, -- of the event: the order of things
    kind            text COLLATE "C" NOT NULL,
    entry_id        text             NOT NULL, -- of the message or note; '' for anything else
    author_type     text             NOT NULL,
    author_id       text             NOT NULL,
    body            text             NOT NULL,
    detail          jsonb,                     -- of what is neither message nor note
    at              timestamptz      NOT NULL,
    PRIMARY KEY (org, conversation_id, sequence)
);

-- Whose a conversation is, and where it went on.
CREATE TABLE timeline_conversations (
    org         text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    merged_into text COLLATE "C" NOT NULL, -- '' when not merged
    PRIMARY KEY (org, id)
);
CREATE INDEX timeline_conversations_by_customer ON timeline_conversations (org, customer_id);
CREATE INDEX timeline_conversations_by_into ON timeline_conversations (org, merged_into) WHERE merged_into <> '';

-- What became of customers: merged into another, erased, or both. Its lock orders erasures against writers.
CREATE TABLE timeline_customers (
    org         text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    into_id     text COLLATE "C" NOT NULL, -- '' when not merged
    erased      boolean          NOT NULL,
    PRIMARY KEY (org, customer_id)
);
CREATE INDEX timeline_customers_by_into ON timeline_customers (org, into_id) WHERE into_id <> '';

-- Whose each conversation is, for whom the tombstone of a customer is to find. A row goes when its erasure is asked for.
CREATE TABLE erasure_conversations (
    org             text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, customer_id, conversation_id)
);

-- Who is erased, for whom a conversation that is heard of later is to find. Its lock orders the two against each other.
CREATE TABLE erasure_customers (
    org         text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    root_id     text COLLATE "C" NOT NULL, -- whose erasure it is: the customer's own, or that of who took over
    PRIMARY KEY (org, customer_id)
);

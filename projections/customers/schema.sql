-- Who writes to the desk. A merged customer keeps only where they went on; an erased one only that they were there.
CREATE TABLE customer_profiles (
    org         text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text             NOT NULL,
    name_key    text COLLATE "C" NOT NULL, -- folded and cut, for sorting and searching by prefix
    attributes  jsonb            NOT NULL,
    merged_into text COLLATE "C" NOT NULL, -- '' when not merged
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    sequence    bigint           NOT NULL, -- of the last event in this row
    PRIMARY KEY (org, id)
);
CREATE INDEX customer_profiles_by_name ON customer_profiles (org, name_key, id) WHERE merged_into = '';

-- No key of its own: an address that moves may be with both customers for a moment, because they are written apart.
CREATE TABLE customer_identities (
    org         text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    place       integer          NOT NULL, -- in the order in which they were added
    type        text COLLATE "C" NOT NULL,
    value       text COLLATE "C" NOT NULL,
    PRIMARY KEY (org, customer_id, place)
);
CREATE INDEX customer_identities_by_value ON customer_identities (org, type, left(value, 200));

CREATE TABLE customer_erasures (
    org       text COLLATE "C" NOT NULL,
    id        text COLLATE "C" NOT NULL,
    erased_at timestamptz      NOT NULL,
    sequence  bigint           NOT NULL,
    PRIMARY KEY (org, id)
);

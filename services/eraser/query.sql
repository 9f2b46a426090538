-- name: LockForConversations :exec
LOCK TABLE erasure_customers IN ROW SHARE MODE;

-- name: LockForTombstones :exec
LOCK TABLE erasure_customers IN EXCLUSIVE MODE;

-- name: NoteConversations :exec
INSERT INTO erasure_conversations (org, customer_id, conversation_id)
SELECT unnest(@orgs::text[]), unnest(@customer_ids::text[]), unnest(@conversation_ids::text[])
ON CONFLICT DO NOTHING;

-- name: NoteTombstones :exec
INSERT INTO erasure_customers (org, customer_id, root_id)
SELECT unnest(@orgs::text[]), unnest(@customer_ids::text[]), unnest(@root_ids::text[])
ON CONFLICT DO NOTHING;

-- name: Take :many
-- The conversations of those of the given customers who are erased, which are forgotten here by it.
WITH given AS (
    SELECT unnest(@orgs::text[]) COLLATE "C" AS org, unnest(@customer_ids::text[]) COLLATE "C" AS customer_id
), erased AS (
    SELECT e.org AS org, e.customer_id AS customer_id, e.root_id AS root_id
      FROM erasure_customers e JOIN given g ON e.org = g.org AND e.customer_id = g.customer_id
), taken AS (
    DELETE FROM erasure_conversations c USING erased e WHERE c.org = e.org AND c.customer_id = e.customer_id
    RETURNING c.org AS org, c.customer_id AS customer_id, c.conversation_id AS conversation_id
)
SELECT t.org, t.customer_id, t.conversation_id, e.root_id
  FROM taken t JOIN erased e ON e.org = t.org AND e.customer_id = t.customer_id
 ORDER BY t.org, t.customer_id, t.conversation_id;

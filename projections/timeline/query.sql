-- name: LockForWriting :exec
LOCK TABLE timeline_customers IN ROW SHARE MODE;

-- name: LockForErasing :exec
LOCK TABLE timeline_customers IN EXCLUSIVE MODE;

-- name: NoteCustomers :exec
-- Who is erased went on in nobody: that they did is erased from the log too, and a rebuild must give the same rows.
INSERT INTO timeline_customers (org, customer_id, into_id, erased)
SELECT unnest(@orgs::text[]), unnest(@customer_ids::text[]), unnest(@into_ids::text[]), unnest(@erased::boolean[])
ON CONFLICT (org, customer_id) DO UPDATE SET
    into_id = CASE WHEN excluded.erased OR timeline_customers.erased THEN '' WHEN excluded.into_id <> '' THEN excluded.into_id ELSE timeline_customers.into_id END,
    erased  = timeline_customers.erased OR excluded.erased;

-- name: DeleteErased :exec
-- Removes the conversations, and their entries, of every customer who is erased, or was merged into one who is, as far
-- as the given customers made it so: up to whoever is erased above them, then down to everybody merged into them.
WITH RECURSIVE given AS (
    SELECT unnest(@orgs::text[]) COLLATE "C" AS org, unnest(@customer_ids::text[]) COLLATE "C" AS customer_id
), up AS (
    SELECT g.org AS org, g.customer_id AS start, c.into_id AS into_id, c.erased AS erased
      FROM given g JOIN timeline_customers c ON c.org = g.org AND c.customer_id = g.customer_id
    UNION
    SELECT u.org, u.start, c.into_id, c.erased
      FROM up u JOIN timeline_customers c ON c.org = u.org AND c.customer_id = u.into_id
), gone AS (
    SELECT u.org AS org, u.start AS customer_id FROM up u WHERE u.erased
    UNION
    SELECT c.org, c.customer_id
      FROM gone g JOIN timeline_customers c ON c.org = g.org AND c.into_id = g.customer_id AND c.into_id <> ''
), conversations AS (
    DELETE FROM timeline_conversations t USING gone g
     WHERE t.org = g.org AND t.customer_id = g.customer_id
    RETURNING t.org, t.id
)
DELETE FROM timeline_entries e USING conversations c WHERE e.org = c.org AND e.conversation_id = c.id;

-- name: DeleteConversations :exec
WITH gone AS (
    SELECT unnest(@orgs::text[]) COLLATE "C" AS org, unnest(@ids::text[]) COLLATE "C" AS id
), entries AS (
    DELETE FROM timeline_entries e USING gone g WHERE e.org = g.org AND e.conversation_id = g.id
)
DELETE FROM timeline_conversations t USING gone g WHERE t.org = g.org AND t.id = g.id;

-- name: Erased :many
-- Which of the given customers are erased, or were merged into one who is.
WITH RECURSIVE given AS (
    SELECT unnest(@orgs::text[]) COLLATE "C" AS org, unnest(@customer_ids::text[]) COLLATE "C" AS customer_id
), up AS (
    SELECT g.org AS org, g.customer_id AS start, c.into_id AS into_id, c.erased AS erased
      FROM given g JOIN timeline_customers c ON c.org = g.org AND c.customer_id = g.customer_id
    UNION
    SELECT u.org, u.start, c.into_id, c.erased
      FROM up u JOIN timeline_customers c ON c.org = u.org AND c.customer_id = u.into_id
)
SELECT DISTINCT up.org::text AS org, up.start::text AS customer_id FROM up WHERE up.erased;

-- name: Known :many
SELECT t.org, t.id
  FROM timeline_conversations t
  JOIN (SELECT unnest(@orgs::text[]) AS org, unnest(@ids::text[]) AS id) k ON t.org = k.org AND t.id = k.id;

-- name: PutEntries :copyfrom
INSERT INTO timeline_entries (
    org, conversation_id, sequence, kind, entry_id, author_type, author_id, body, detail, at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: PutConversations :copyfrom
INSERT INTO timeline_conversations (org, id, customer_id, merged_into) VALUES ($1, $2, $3, $4);

-- name: Merge :exec
UPDATE timeline_conversations t SET merged_into = k.into_id
  FROM (SELECT unnest(@orgs::text[]) AS org, unnest(@ids::text[]) AS id, unnest(@into_ids::text[]) AS into_id) k
 WHERE t.org = k.org AND t.id = k.id;

-- name: Oldest :many
-- Entries of a conversation and of all that were merged into it, oldest first: from each at most one page. Kinds that
-- are empty, and not NULL, mean any.
WITH RECURSIVE family AS (
    SELECT c.id AS id FROM timeline_conversations c WHERE c.org = @org AND c.id = @id
    UNION
    SELECT c.id FROM family f JOIN timeline_conversations c
        ON c.org = @org AND c.merged_into = f.id AND c.merged_into <> ''
)
SELECT e.* FROM family f CROSS JOIN LATERAL (
    SELECT t.* FROM timeline_entries t
     WHERE t.org = @org AND t.conversation_id = f.id AND t.sequence > @after
       AND (t.kind = ANY(@kinds::text[]) OR cardinality(@kinds::text[]) = 0)
     ORDER BY t.sequence LIMIT @max_rows
) e ORDER BY e.sequence LIMIT @max_rows;

-- name: Newest :many
-- The same, newest first.
WITH RECURSIVE family AS (
    SELECT c.id AS id FROM timeline_conversations c WHERE c.org = @org AND c.id = @id
    UNION
    SELECT c.id FROM family f JOIN timeline_conversations c
        ON c.org = @org AND c.merged_into = f.id AND c.merged_into <> ''
)
SELECT e.* FROM family f CROSS JOIN LATERAL (
    SELECT t.* FROM timeline_entries t
     WHERE t.org = @org AND t.conversation_id = f.id AND t.sequence < @before
       AND (t.kind = ANY(@kinds::text[]) OR cardinality(@kinds::text[]) = 0)
     ORDER BY t.sequence DESC LIMIT @max_rows
) e ORDER BY e.sequence DESC LIMIT @max_rows;

-- name: ByCustomer :many
-- Entries of all conversations of a customer and of all who were merged into them, newest first by their own time.
WITH RECURSIVE people AS (
    SELECT (@customer_id::text) COLLATE "C" AS id
    UNION
    SELECT c.customer_id FROM people p JOIN timeline_customers c
        ON c.org = @org AND c.into_id = p.id AND c.into_id <> ''
), keys AS (
    SELECT t.conversation_id AS conversation_id, t.sequence AS sequence, t.at AS at
      FROM people p
      JOIN timeline_conversations c ON c.org = @org AND c.customer_id = p.id
      JOIN timeline_entries t ON t.org = @org AND t.conversation_id = c.id
     WHERE (t.at, t.sequence) < (@before_at::timestamptz, @before::bigint)
       AND (t.kind = ANY(@kinds::text[]) OR cardinality(@kinds::text[]) = 0)
     ORDER BY t.at DESC, t.sequence DESC LIMIT @max_rows
)
SELECT e.* FROM keys k
  JOIN timeline_entries e ON e.org = @org AND e.conversation_id = k.conversation_id AND e.sequence = k.sequence
 ORDER BY e.at DESC, e.sequence DESC;

-- name: LockForWriting :exec
LOCK TABLE inbox_customers IN ROW SHARE MODE;

-- name: LockForErasing :exec
LOCK TABLE inbox_customers IN EXCLUSIVE MODE;

-- name: NoteCustomers :exec
-- Who is erased went on in nobody: that they did is erased from the log too, and a rebuild must give the same rows.
INSERT INTO inbox_customers (org, customer_id, into_id, erased)
SELECT unnest(@orgs::text[]), unnest(@customer_ids::text[]), unnest(@into_ids::text[]), unnest(@erased::boolean[])
ON CONFLICT (org, customer_id) DO UPDATE SET
    into_id = CASE WHEN excluded.erased OR inbox_customers.erased THEN '' WHEN excluded.into_id <> '' THEN excluded.into_id ELSE inbox_customers.into_id END,
    erased  = inbox_customers.erased OR excluded.erased;

-- name: DeleteErased :exec
-- Removes the conversations of every customer who is erased, or was merged into one who is, as far as the given
-- customers made it so: up to whoever is erased above them, then down to everybody who was merged into them.
WITH RECURSIVE given AS (
    SELECT unnest(@orgs::text[]) COLLATE "C" AS org, unnest(@customer_ids::text[]) COLLATE "C" AS customer_id
), up AS (
    SELECT g.org AS org, g.customer_id AS start, c.into_id AS into_id, c.erased AS erased
      FROM given g JOIN inbox_customers c ON c.org = g.org AND c.customer_id = g.customer_id
    UNION
    SELECT u.org, u.start, c.into_id, c.erased
      FROM up u JOIN inbox_customers c ON c.org = u.org AND c.customer_id = u.into_id
), gone AS (
    SELECT u.org AS org, u.start AS customer_id FROM up u WHERE u.erased
    UNION
    SELECT c.org, c.customer_id
      FROM gone g JOIN inbox_customers c ON c.org = g.org AND c.into_id = g.customer_id AND c.into_id <> ''
)
DELETE FROM inbox_conversations i USING gone g WHERE i.org = g.org AND i.customer_id = g.customer_id;

-- name: Erased :many
-- Which of the given customers are erased, or were merged into one who is.
WITH RECURSIVE given AS (
    SELECT unnest(@orgs::text[]) COLLATE "C" AS org, unnest(@customer_ids::text[]) COLLATE "C" AS customer_id
), up AS (
    SELECT g.org AS org, g.customer_id AS start, c.into_id AS into_id, c.erased AS erased
      FROM given g JOIN inbox_customers c ON c.org = g.org AND c.customer_id = g.customer_id
    UNION
    SELECT u.org, u.start, c.into_id, c.erased
      FROM up u JOIN inbox_customers c ON c.org = u.org AND c.customer_id = u.into_id
)
SELECT DISTINCT up.org::text AS org, up.start::text AS customer_id FROM up WHERE up.erased;

-- name: Take :many
-- Reads rows and removes them in one go: what is folded on is copied back in the same transaction. No row here can be
-- updated in place anyway (updated_at is in most indexes), so this costs what an update costs, and saves the read.
DELETE FROM inbox_conversations i
 USING (SELECT unnest(@orgs::text[]) AS org, unnest(@ids::text[]) AS id) k
 WHERE i.org = k.org AND i.id = k.id
RETURNING i.*;

-- name: Put :copyfrom
INSERT INTO inbox_conversations (
    org, id, customer_id, channel, channel_id, subject, status, queue_id, assignee_id, priority, tags, tag_keys,
    attributes, merged_into, created_at, updated_at, last_message_at, last_message_from, last_message_preview,
    message_count, note_count, unread_by_desk, unread_by_customer, waiting_since, snoozed_until, recent, sequence
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27
);

-- name: Get :one
SELECT * FROM inbox_conversations WHERE org = $1 AND id = $2;

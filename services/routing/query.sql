-- name: LoadItems :many
SELECT * FROM work_items
WHERE (org, conversation_id) IN (SELECT unnest(@orgs::text[]), unnest(@conversation_ids::text[]));

-- name: StoreItems :exec
INSERT INTO work_items (org, conversation_id, status, merged, queue_id, assignee_id, priority, waiting_since, version,
                        assigned_revision, assigned_time, snoozed_revision, sequence)
SELECT unnest(@orgs::text[]), unnest(@conversation_ids::text[]), unnest(@statuses::text[]), unnest(@merged::boolean[]),
       unnest(@queue_ids::text[]), unnest(@assignee_ids::text[]), unnest(@priorities::smallint[]),
       unnest(@waiting_since::timestamptz[]), unnest(@versions::bigint[]), unnest(@assigned_revision::bigint[]),
       unnest(@assigned_time::timestamptz[]), unnest(@snoozed_revision::bigint[]), unnest(@sequences::bigint[])
ON CONFLICT (org, conversation_id) DO UPDATE SET
    status = excluded.status, merged = excluded.merged, queue_id = excluded.queue_id, assignee_id = excluded.assignee_id,
    priority = excluded.priority, waiting_since = excluded.waiting_since, version = excluded.version,
    assigned_revision = excluded.assigned_revision, assigned_time = excluded.assigned_time, snoozed_revision = excluded.snoozed_revision,
    sequence = excluded.sequence;

-- name: DeleteItems :exec
DELETE FROM work_items
WHERE (org, conversation_id) IN (SELECT unnest(@orgs::text[]), unnest(@conversation_ids::text[]));

-- name: StoreAssigned :exec
INSERT INTO routing_agents (org, agent_id, last_assigned)
SELECT unnest(@orgs::text[]), unnest(@agent_ids::text[]), unnest(@times::timestamptz[])
ON CONFLICT (org, agent_id) DO UPDATE SET last_assigned = greatest(routing_agents.last_assigned, excluded.last_assigned);

-- name: Folded :many
-- Up to where the items of these conversations are folded.
SELECT conversation_id, sequence FROM work_items
WHERE org = @org AND conversation_id = ANY (@conversation_ids::text[]);

-- name: Held :many
-- Open conversations of agents who are not among those present, a few of each: from agent to agent by the index, so that
-- what the others have costs nothing.
WITH RECURSIVE holders AS (
    (SELECT assignee_id FROM work_items WHERE org = @in_org AND status = 'open' AND assignee_id <> '' ORDER BY assignee_id LIMIT 1)
    UNION ALL
    SELECT next.assignee_id FROM holders CROSS JOIN LATERAL (
        SELECT i.assignee_id FROM work_items i
        WHERE i.org = @in_org AND i.status = 'open' AND i.assignee_id <> '' AND i.assignee_id > holders.assignee_id
        ORDER BY i.assignee_id LIMIT 1
    ) next
)
SELECT w.conversation_id, w.assignee_id, w.assigned_revision, w.sequence
FROM holders h
CROSS JOIN LATERAL (
    SELECT i.conversation_id, i.assignee_id, i.assigned_revision, i.sequence FROM work_items i
    WHERE i.org = @in_org AND i.status = 'open' AND i.assignee_id <> '' AND i.assignee_id = h.assignee_id
      AND i.conversation_id NOT IN (SELECT unnest(@known::text[]))
    LIMIT @of_each
) w
WHERE h.assignee_id <> ALL (@present::text[])
LIMIT @max_rows;

-- name: Loads :many
-- How many open conversations each of these agents has, and how many of them for a short time only.
SELECT assignee_id AS agent_id, count(*)::bigint AS open, (count(*) FILTER (WHERE assigned_time > @since::timestamptz))::bigint AS recent
FROM work_items
WHERE org = @org AND status = 'open' AND assignee_id <> '' AND assignee_id = ANY (@agents::text[])
GROUP BY assignee_id;

-- name: LastAssigned :many
SELECT agent_id, last_assigned FROM routing_agents WHERE org = @org;

-- name: Waiting :many
-- The first of each queue, in the order in which they are to be given out. The queue '' is that of conversations
-- that are in none.
SELECT w.conversation_id, w.queue_id, w.version, w.sequence
FROM unnest(@queues::text[]) AS q (id)
CROSS JOIN LATERAL (
    SELECT i.conversation_id, i.queue_id, i.version, i.sequence, i.priority, i.waiting_since
    FROM work_items i
    WHERE i.org = @in_org AND i.status = 'open' AND i.assignee_id = '' AND NOT i.merged AND i.queue_id = q.id
      AND i.conversation_id NOT IN (SELECT unnest(@known::text[]))
    ORDER BY i.priority DESC, i.waiting_since, i.conversation_id
    LIMIT @max_rows
) w
ORDER BY w.priority DESC, w.waiting_since, w.conversation_id
LIMIT @max_rows;

-- name: Newest :many
-- The last that came into these queues, of whatever priority.
SELECT w.conversation_id, w.queue_id, w.version, w.sequence
FROM unnest(@queues::text[]) AS q (id)
CROSS JOIN generate_series(0, @highest::int) AS p (rank)
CROSS JOIN LATERAL (
    SELECT i.conversation_id, i.queue_id, i.version, i.sequence, i.waiting_since
    FROM work_items i
    WHERE i.org = @in_org AND i.status = 'open' AND i.assignee_id = '' AND NOT i.merged AND i.queue_id = q.id AND i.priority = p.rank::smallint
      AND i.conversation_id NOT IN (SELECT unnest(@known::text[]))
    ORDER BY i.waiting_since DESC, i.conversation_id DESC
    LIMIT @max_rows
) w
ORDER BY w.waiting_since DESC, w.conversation_id DESC
LIMIT @max_rows;

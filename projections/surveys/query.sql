-- name: Take :many
-- Reads rows and removes them in one go: what is folded on is copied back in the same transaction.
DELETE FROM surveys s
 USING (SELECT unnest(@orgs::text[]) AS org, unnest(@ids::text[]) AS id) k
 WHERE s.org = k.org AND s.id = k.id
RETURNING s.*;

-- name: Put :copyfrom
INSERT INTO surveys (org, id, conversation_id, channel_id, queue_id, agent_id, decided_at, asked, status, score, comment, sequence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: Forget :exec
DELETE FROM surveys s
 USING (SELECT unnest(@orgs::text[]) AS org, unnest(@conversation_ids::text[]) AS id) k
 WHERE s.org = k.org AND s.conversation_id = k.id;

-- name: Satisfaction :many
-- Groups are days of a time zone, or agents, queues or channels.
SELECT (CASE @group_by::text
        WHEN 'day' THEN to_char(decided_at AT TIME ZONE @timezone::text, 'YYYY-MM-DD')
        WHEN 'agent' THEN agent_id WHEN 'queue' THEN queue_id WHEN 'channel' THEN channel_id
        ELSE '' END)::text AS name,
       count(*) FILTER (WHERE asked) AS asked,
       count(*) FILTER (WHERE status = 'waiting') AS waiting,
       count(*) FILTER (WHERE status = 'answered') AS answered,
       count(*) FILTER (WHERE status = 'expired') AS expired,
       count(*) FILTER (WHERE status = 'excused') AS excused,
       count(*) FILTER (WHERE status = 'answered' AND score >= @satisfied::smallint) AS satisfied,
       coalesce(sum(score) FILTER (WHERE status = 'answered'), 0)::bigint AS points
  FROM surveys
 WHERE org = @org AND decided_at >= @since::timestamptz AND decided_at < @until::timestamptz
 GROUP BY 1 ORDER BY 1;

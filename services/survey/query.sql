-- name: Known :many
SELECT * FROM survey_conversations
WHERE (org, id) IN (SELECT unnest(@orgs::text[]) COLLATE "C", unnest(@ids::text[]) COLLATE "C");

-- name: Put :exec
INSERT INTO survey_conversations (org, id, channel_id, closings)
SELECT unnest(@orgs::text[]), unnest(@ids::text[]), unnest(@channel_ids::text[]), unnest(@closings::integer[])
ON CONFLICT (org, id) DO UPDATE SET closings = excluded.closings;

-- name: Forget :exec
DELETE FROM survey_conversations
WHERE (org, id) IN (SELECT unnest(@orgs::text[]) COLLATE "C", unnest(@ids::text[]) COLLATE "C");

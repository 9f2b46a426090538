-- name: Recent :many
-- When the runs of these conversations that were not suppressed began.
SELECT org, conversation_id, event_time FROM workflow_runs
WHERE (org, conversation_id) IN (SELECT unnest(@orgs::text[]), unnest(@conversation_ids::text[]))
  AND event_time > @since::timestamptz AND suppressed = '';

-- name: StartRuns :exec
INSERT INTO workflow_runs (run_id, org, rule_id, rule_revision, conversation_id, event_sequence, event_time, suppressed, steps)
SELECT unnest(@run_ids::text[]), unnest(@orgs::text[]), unnest(@rule_ids::text[]), unnest(@rule_revisions::bigint[]),
       unnest(@conversation_ids::text[]), unnest(@event_sequences::bigint[]), unnest(@event_times::timestamptz[]),
       unnest(@suppressed::text[]), unnest(@steps::smallint[])
ON CONFLICT (run_id) DO NOTHING;

-- name: TakeSteps :exec
-- The same step may be told of twice, in any order: what is left then does not depend on it.
INSERT INTO workflow_steps (run_id, step, refused, reason)
SELECT unnest(@run_ids::text[]), unnest(@steps::smallint[]), unnest(@refused::boolean[]), unnest(@reasons::text[])
ON CONFLICT (run_id, step) DO UPDATE SET
    refused = workflow_steps.refused OR excluded.refused, reason = greatest(workflow_steps.reason COLLATE "C", excluded.reason);

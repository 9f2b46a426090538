-- name: Recent :many
-- When the runs of these conversations that were not suppressed began.
SELECT org, conversation_id, event_time FROM workflow_runs
WHERE (org, conversation_id) IN (SELECT unnest(@orgs::text[]), unnest(@conversation_ids::text[]))
  AND event_time > @since::timestamptz AND state <> 'suppressed';

-- name: StartRuns :exec
INSERT INTO workflow_runs (run_id, org, rule_id, rule_revision, conversation_id, event_sequence, event_time, state, reason, steps, steps_done)
SELECT unnest(@run_ids::text[]), unnest(@orgs::text[]), unnest(@rule_ids::text[]), unnest(@rule_revisions::bigint[]),
       unnest(@conversation_ids::text[]), unnest(@event_sequences::bigint[]), unnest(@event_times::timestamptz[]),
       unnest(@states::text[]), unnest(@reasons::text[]), unnest(@steps::smallint[]), 0
ON CONFLICT (run_id) DO NOTHING;

-- name: StepsDone :exec
UPDATE workflow_runs r SET
    steps_done = greatest(r.steps_done, d.steps_done),
    state = CASE WHEN r.state = 'running' AND d.steps_done >= r.steps THEN 'done' ELSE r.state END
FROM (SELECT unnest(@run_ids::text[]) AS run_id, unnest(@steps_done::smallint[]) AS steps_done) d
WHERE r.run_id = d.run_id;

-- name: FailRun :exec
UPDATE workflow_runs SET state = 'failed', reason = @reason WHERE run_id = @run_id AND state = 'running';

-- name: RunState :one
SELECT state FROM workflow_runs WHERE run_id = @run_id;

-- name: Take :many
-- Reads rows and removes them in one go: what is folded on is copied back in the same transaction.
DELETE FROM customer_profiles p
 USING (SELECT unnest(@orgs::text[]) AS org, unnest(@ids::text[]) AS id) k
 WHERE p.org = k.org AND p.id = k.id
RETURNING p.*;

-- name: TakeIdentities :many
DELETE FROM customer_identities i
 USING (SELECT unnest(@orgs::text[]) AS org, unnest(@ids::text[]) AS id) k
 WHERE i.org = k.org AND i.customer_id = k.id
RETURNING i.*;

-- name: Put :copyfrom
INSERT INTO customer_profiles (org, id, name, name_key, attributes, merged_into, created_at, updated_at, sequence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: PutIdentities :copyfrom
INSERT INTO customer_identities (org, customer_id, place, type, value) VALUES ($1, $2, $3, $4, $5);

-- name: PutErasures :exec
-- The first one counts.
INSERT INTO customer_erasures (org, id, erased_at, sequence)
SELECT unnest(@orgs::text[]), unnest(@ids::text[]), unnest(@erased_at::timestamptz[]), unnest(@sequences::bigint[])
ON CONFLICT DO NOTHING;

-- name: Get :one
SELECT * FROM customer_profiles WHERE org = $1 AND id = $2;

-- name: ErasedAt :one
SELECT erased_at FROM customer_erasures WHERE org = $1 AND id = $2;

-- name: Identities :many
SELECT * FROM customer_identities
 WHERE org = @org AND customer_id = ANY(@customer_ids::text[])
 ORDER BY customer_id, place;

-- name: ListByName :many
-- Those who were not merged, by name, from a place on, within the bounds of a prefix.
SELECT * FROM customer_profiles
 WHERE org = @org AND merged_into = ''
   AND (name_key, id) > (@after_key::text, @after_id::text)
   AND name_key >= @name_from::text
   AND name_key < @name_upto::text
 ORDER BY name_key, id
 LIMIT @max_rows;

-- name: ListByIdentity :many
SELECT p.* FROM customer_identities i
  JOIN customer_profiles p ON p.org = i.org AND p.id = i.customer_id
 WHERE i.org = @org AND i.type = @type AND left(i.value, 200) = left(@value::text, 200) AND i.value = @value::text
   AND p.merged_into = '' AND (p.name_key, p.id) > (@after_key::text, @after_id::text)
   AND p.name_key >= @name_from::text AND p.name_key < @name_upto::text
 ORDER BY p.name_key, p.id
 LIMIT @max_rows;

-- name: ByIdentity :one
SELECT p.* FROM customer_identities i
  JOIN customer_profiles p ON p.org = i.org AND p.id = i.customer_id
 WHERE i.org = @org AND i.type = @type AND left(i.value, 200) = left(@value::text, 200) AND i.value = @value::text
   AND p.merged_into = ''
 ORDER BY p.sequence DESC
 LIMIT 1;

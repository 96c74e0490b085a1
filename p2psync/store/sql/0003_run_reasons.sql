-- Why not all was moved in a run (waiting_for, absent, problems, message) stood among its items until now.
-- reasons: JSON, an object.
ALTER TABLE run ADD COLUMN reasons TEXT NOT NULL DEFAULT '{}';
UPDATE run SET
    reasons = json_object(
        'waiting_for', (
            SELECT json_group_array(item.value -> '$.value') FROM json_each(run.items) AS item
            WHERE item.value ->> '$.reason' = 'waiting-for'
        ),
        'absent', (
            SELECT json_group_array(item.value -> '$.value') FROM json_each(run.items) AS item
            WHERE item.value ->> '$.reason' = 'absent'
        ),
        'problems', (
            SELECT json_group_array(item.value -> '$.value') FROM json_each(run.items) AS item
            WHERE item.value ->> '$.reason' = 'problem'
        ),
        'message', ifnull((
            SELECT item.value ->> '$.value' FROM json_each(run.items) AS item
            WHERE item.value ->> '$.reason' = 'message'
        ), '')
    ),
    items = (
        SELECT json_group_array(json(item.value)) FROM json_each(run.items) AS item
        WHERE item.value ->> '$.reason' IS NULL
    )
WHERE ended_ms IS NOT NULL;

-- The states of the datasets: every transaction that changes a dataset makes a new one of it.
--
-- A dataset is a table public.dataset_ID. Triggers copy its rows into sandbox.log_ID, with the number of the first state
-- that has a row and of the first that has it no longer; so an older state is a view of the log.

CREATE SCHEMA sandbox;

CREATE TABLE sandbox.states (
    dataset_id integer,
    number integer,
    id text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', ''),
    action text NOT NULL DEFAULT 'SQL',
    transaction bigint NOT NULL DEFAULT txid_current(),
    deleted json,
    PRIMARY KEY (dataset_id, number));

CREATE INDEX ON sandbox.states (transaction);

-- Returns the number of the state that this transaction makes of a dataset.
CREATE FUNCTION sandbox.next_state(dataset integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made integer;
BEGIN
    LOCK TABLE sandbox.states IN EXCLUSIVE MODE;
    SELECT number INTO made FROM sandbox.states WHERE dataset_id = dataset AND transaction = txid_current();
    IF made IS NULL THEN
        INSERT INTO sandbox.states (dataset_id, number)
            SELECT dataset, coalesce(max(number), 0) + 1 FROM sandbox.states WHERE dataset_id = dataset
            RETURNING number INTO made;
    END IF;
    RETURN made;
END $$;

CREATE FUNCTION sandbox.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    log text := 'log_' || TG_ARGV[0];
    is_touched boolean;
    amigo_ids json;
    state integer;
BEGIN
    EXECUTE 'SELECT EXISTS (SELECT FROM ' || CASE TG_OP WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END || ')'
        INTO is_touched;
    IF NOT is_touched THEN
        RETURN NULL;
    END IF;
    state := sandbox.next_state(TG_ARGV[0]::integer);
    IF TG_OP <> 'INSERT' THEN
        EXECUTE format('UPDATE sandbox.%I AS kept SET sandbox_next = $1 FROM old_rows AS gone '
            'WHERE kept.amigo_id = gone.amigo_id AND kept.sandbox_next IS NULL', log) USING state;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE format('INSERT INTO sandbox.%I SELECT $1, NULL, new_rows.* FROM new_rows', log) USING state;
    ELSE
        EXECUTE 'SELECT json_agg(amigo_id) FROM old_rows' INTO amigo_ids;
        UPDATE sandbox.states SET deleted = amigo_ids WHERE dataset_id = TG_ARGV[0]::integer AND number = state;
    END IF;
    RETURN NULL;
END $$;

-- Returns the state that this transaction made, and the amigo_ids of what it deleted. It is no setting, because a
-- user's statement may set any of those.
CREATE FUNCTION sandbox.made() RETURNS TABLE (id text, deleted json)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT id, deleted FROM sandbox.states WHERE transaction = txid_current() ORDER BY deleted IS NULL LIMIT 1
$$;

-- Hides a dataset's table behind a view of an older state; pg_temp is searched first.
CREATE FUNCTION sandbox.show(dataset integer, state text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    name text := 'dataset_' || dataset;
    wanted integer;
    columns text;
BEGIN
    SELECT number INTO wanted FROM sandbox.states WHERE dataset_id = dataset AND id = state;
    IF wanted IS NULL THEN
        RAISE EXCEPTION 'dataset % has no state "%"', dataset, state;
    END IF;
    IF wanted = (SELECT max(number) FROM sandbox.states WHERE dataset_id = dataset) THEN
        RETURN;
    END IF;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = ('public.' || name)::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('CREATE TEMP VIEW %I AS SELECT %s FROM sandbox.%I WHERE sandbox_first <= %s AND '
        '(sandbox_next IS NULL OR sandbox_next > %s)', name, columns, 'log_' || dataset, wanted, wanted);
    EXECUTE format('GRANT SELECT ON pg_temp.%I TO PUBLIC', name);
END $$;

CREATE FUNCTION sandbox.in_wgs84(shape geometry) RETURNS geometry LANGUAGE sql AS $$
    SELECT CASE WHEN ST_SRID(shape) = 0 THEN ST_SetSRID(shape, 4326) ELSE shape END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sandbox FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Takes away the functions that show, end or hold up other sessions, that change the settings of a session, and that
-- keep something outside of the datasets. Only a superuser can; for others PostgreSQL warns and goes on.
DO $$
DECLARE
    forbidden regprocedure;
BEGIN
    FOR forbidden IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
        AND has_function_privilege('public', oid, 'EXECUTE')
        AND (proname ~ '^pg_stat_get_(activity|backend_|db_|progress_info|wal_senders|subscription)'
            OR proname ~ '^pg_(try_)?advisory_' OR proname ~ '^lo_' OR proname IN (
            'pg_stat_get_replication_slot', 'pg_terminate_backend', 'pg_cancel_backend',
            'pg_lock_status', 'pg_blocking_pids', 'pg_safe_snapshot_blocking_pids',
            'pg_isolation_test_session_is_blocked', 'pg_prepared_xact', 'pg_notify',
            'pg_notification_queue_usage', 'pg_logical_emit_message', 'pg_export_snapshot',
            'set_config', 'loread', 'lowrite'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', forbidden);
    END LOOP;
END $$;

-- What the script has made, written down when it is done: guard_faults() compares with it. As a function it belongs to the
-- extension, so that it is made anew where a dump is restored, and copied by pg_upgrade. An upgrade script ends with this.

DO $$
BEGIN
    EXECUTE pg_catalog.format('CREATE OR REPLACE FUNCTION reason.installed_guards()
        RETURNS TABLE (guard text, definition text, printed boolean, server_version integer)
        LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS %L',
        (SELECT 'VALUES ' || pg_catalog.string_agg(pg_catalog.format('(%L, %L, %L::boolean, %s)', g.guard, g.definition, g.printed,
                    pg_catalog.current_setting('server_version_num')::integer / 10000), E',\n' ORDER BY g.guard)
         FROM reason.present_guards() g));
END
$$;
COMMENT ON FUNCTION reason.installed_guards() IS 'The guards as the extension''s script made them, and the major version of the server that printed their definitions.';
REVOKE ALL ON FUNCTION reason.installed_guards() FROM PUBLIC;

-- pg_dump: the data of an extension's tables is dumped only when registered here.
--
-- Everything is, except what belongs to one running database (sealer_state: transaction ids, halted_chain: where its sealer stopped,
-- cursor_secret: pages of traces that are being read, sidecar_report: who lives, erasure_fence: a lock, safe_mode: what this
-- server's timeline was compared with, proposal_in_execution and approval_fence: locks), and the rows that
-- CREATE EXTENSION itself brings along, which are there again after restoring.

DO $$
DECLARE
    relation record;
BEGIN
    FOR relation IN SELECT c.oid::regclass AS name, c.relname FROM pg_catalog.pg_class c
                    WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind IN ('r', 'S')
                      AND c.relname NOT IN ('sealer_state', 'halted_chain', 'cursor_secret', 'sidecar_report', 'erasure_fence', 'safe_mode', 'proposal_in_execution', 'approval_fence')
                    ORDER BY c.relname
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(relation.name, CASE relation.relname
            -- Spelt out: whoever dumps may read tables, but execute no function.
            WHEN 'division_grant' THEN (SELECT pg_catalog.format('WHERE (grantee, division) NOT IN (%s)',
                pg_catalog.string_agg(pg_catalog.format('(%L, %L)', g.grantee, g.division), ', ')) FROM reason.initial_division_grants() g)
            WHEN 'pii_rule' THEN 'WHERE NOT builtin'
            ELSE '' END);
    END LOOP;
END
$$;

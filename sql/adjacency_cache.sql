-- The adjacency cache: the whole graph's links in shared memory (extension/cache/).
--
-- Traces find it, use it and have it built by themselves; what is here is for those who want to look, or cannot wait.

CREATE FUNCTION reason.build_adjacency_cache() RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_build_adjacency_cache';
COMMENT ON FUNCTION reason.build_adjacency_cache() IS 'Builds the adjacency cache of this database anew, now and in this session; traces have it built in the background when they would gain. False: another one is being built, or there is no room. 55000: there is no cache, as the library is not preloaded or reason.adjacency_cache_size is 0; 53400: the graph does not fit.';

CREATE FUNCTION reason.adjacency_cache_status(OUT state text, OUT nodes bigint, OUT edges bigint, OUT size_bytes bigint,
    OUT built_at timestamptz, OUT build_ms integer, OUT readers integer, OUT free_bytes bigint, OUT last_attempt timestamptz,
    OUT last_outcome text)
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_adjacency_cache_status';
COMMENT ON FUNCTION reason.adjacency_cache_status() IS 'The adjacency cache of this database. state: none (not preloaded, or of size 0), empty, building, ready. readers: traces that use it now. free_bytes: the largest piece of reason.adjacency_cache_size that no database has. last_outcome: built, failed, too small, irregular; NULL when there was no attempt since the server started.';

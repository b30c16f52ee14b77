-- The extension reasoning_graph: the pieces of sql/, joined in the order that sql/order gives.
\echo Use "CREATE EXTENSION reasoning_graph" to load this file. \quit

-- Canonical JSON is UTF-8, and so are the bytes that are hashed.
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('reasoning_graph needs a database with encoding UTF8, and this one has %s', pg_catalog.getdatabaseencoding()),
            HINT = 'Create one with CREATE DATABASE name ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

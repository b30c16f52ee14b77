-- The extension reasoning_graph: the numbered pieces of sql/, joined in order.
\echo Use "CREATE EXTENSION reasoning_graph" to load this file. \quit

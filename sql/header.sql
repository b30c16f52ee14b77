-- The extension reasoning_graph: the pieces of sql/, joined in the order that sql/order gives.
\echo Use "CREATE EXTENSION reasoning_graph" to load this file. \quit

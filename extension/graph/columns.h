/*
 * columns.h
 *		Columns of the tables, in the order of sql/tables.sql.
 */
#ifndef REASON_GRAPH_COLUMNS_H
#define REASON_GRAPH_COLUMNS_H

#define NODE_NO 1
#define NODE_ID 2
#define NODE_DIVISION 3
#define NODE_TYPE 4
#define NODE_AUTHOR 5
#define NODE_PAYLOAD 6
#define NODE_METADATA 7
#define NODE_CREATED_AT 8
#define NODE_OCCURRED_AT 9
#define NODE_VERSION 10
#define NODE_MANIFEST_SIGNATURE_ID 11
#define NODE_PAYLOAD_REF 12
#define NODE_PAYLOAD_HASH 14
#define NODE_DIGEST 15
#define NODE_AUDIT_EVENT_ID 16
#define NODE_COLUMNS 16

#define EDGE_NO 1
#define EDGE_ID 2
#define EDGE_DIVISION 3
#define EDGE_FROM_NO 4
#define EDGE_TO_NO 5
#define EDGE_TYPE 6
#define EDGE_WEIGHT 7
#define EDGE_METADATA 8
#define EDGE_CREATED_AT 9
#define EDGE_DIGEST 10
#define EDGE_AUDIT_EVENT_ID 11
#define EDGE_COLUMNS 11

#endif							/* REASON_GRAPH_COLUMNS_H */

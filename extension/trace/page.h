/*
 * page.h
 *		A page of a trace: its nodes and edges as text, each once, for all that shows traces.
 *
 * A page is bounded by steps, edges and bytes.  A node with more edges than a
 * page may have is a page of its own: its step lists the first of them and says
 * that it is cut, the edges whose turn it is go on over the pages that follow.
 *
 * An edge is given on the page of its later end, in the order of the trace, so
 * that each edge of a trace comes once, when both its ends are known.
 */
#ifndef REASON_TRACE_PAGE_H
#define REASON_TRACE_PAGE_H

#include "postgres.h"

#include "core/buffer.h"
#include "trace/frontier.h"
#include "trace/node_json.h"
#include "trace/request.h"
#include "trace/result.h"

/* What a page holds at most, if it may not hold everything. */
#define PAGE_EDGES 10000
#define PAGE_BYTES ((size_t) 32 * 1024 * 1024)

/* Where the text of something lies in a buffer. */
typedef struct Piece
{
	size_t		offset;
	size_t		length;
} Piece;

static inline void
append_piece(ByteBuffer *out, const ByteBuffer *texts, Piece piece)
{
	buffer_append(out, texts->data + piece.offset, piece.length);
}

typedef struct PageEdge
{
	TimestampTz created_at;
	pg_uuid_t	id;
	uint32		from;			/* positions */
	uint32		to;
	bool		listed;			/* by the steps of its ends */
	bool		given;			/* among the edges of the page */
	Piece		text;
} PageEdge;

typedef struct TracePage
{
	Trace	   *trace;
	NodeJson   *json;
	bool		is_bounded;
	uint32		begin;
	uint32		end;
	uint32		skip_edges;		/* of the first node, given on the pages before */
	uint32		next_skip;		/* the same for the next page; 0 when it begins at the node after */
	bool		is_cut;			/* the first step does not list all its edges */
	bool		is_full;		/* has too many bytes */
	ByteBuffer	texts;			/* of nodes and edges, each once */
	Piece	   *nodes;			/* from begin on */
	PageEdge   *edges;			/* by (created_at, id) */
	uint32		edge_count;
	TraceFrontier frontier;
} TracePage;

/* Runs the trace and reads the page that is asked for. */
extern void trace_page_read(TracePage *page, const TraceRequest *request);

/* The text of the start, which every page may want. */
extern Piece trace_page_start(TracePage *page);

/* Whether there is a page after this one, and its cursor. */
extern bool trace_page_goes_on(const TracePage *page);
extern void trace_page_write_cursor(const TracePage *page, const TraceRequest *request, ByteBuffer *out);

extern void page_sort_edges(PageEdge *edges, uint32 count);

static inline bool
trace_on_page(const TracePage *page, uint32 position)
{
	return position >= page->begin && position < page->end;
}

#endif							/* REASON_TRACE_PAGE_H */

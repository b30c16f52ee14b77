/*
 * init.c
 *		Module load: configuration parameters, shared memory.
 *
 * Each family of files defines its own parameters in a function called from
 * here, so that SHOW reason.* has one source and the families stay apart.
 */
#include "postgres.h"

#include "cache/shared.h"
#include "canonical/backend.h"
#include "graph/memory.h"
#include "record/watermark.h"
#include "trace/cursor.h"
#include "trace/plan.h"
#include "write/doorbell.h"
#include "write/input.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	canonical_define_parameters();
	graph_memory_define_parameters();
	trace_define_parameters();
	trace_plan_define();
	graph_cache_define_parameters();
	watermarks_define();
	write_define_parameters();
	doorbell_define();
	MarkGUCPrefixReserved("reason");
}

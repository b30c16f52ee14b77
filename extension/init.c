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
#include "record/event_text.h"
#include "record/turn.h"
#include "record/watermark.h"
#include "trace/cursor.h"
#include "trace/plan.h"
#include "trace/statistics.h"
#include "write/doorbell.h"
#include "write/input.h"

#include "fmgr.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

/*
 * TraceScan relies on a fix where rows that were changed meanwhile are looked at
 * anew: "Fix EvalPlanQual handling of foreign or custom joins" in the release notes
 * of 15.15, and of the releases of that day of the other major versions.
 */
static int
least_minor_version(int major)
{
	switch (major)
	{
		case 15:
			return 15;
		case 16:
			return 11;
		case 17:
			return 7;
		default:
			return major == 18 ? 1 : 0;
	}
}

static void
warn_of_old_server(void)
{
	int			version = atoi(GetConfigOption("server_version_num", false, false));
	int			major = version / 10000;

	if (version % 10000 < least_minor_version(major))
		ereport(WARNING,
				(errmsg("reasoning_graph needs PostgreSQL %d.%d or later, and this is %d.%d",
						major, least_minor_version(major), major, version % 10000),
				 errdetail("A trace beside rows that are locked and changed meanwhile can end the session."),
				 errhint("Install the last minor release.")));
}

void
_PG_init(void)
{
	warn_of_old_server();
	canonical_define_parameters();
	event_text_define_parameters();
	graph_memory_define_parameters();
	trace_define_parameters();
	trace_plan_define();
	trace_statistics_define();
	graph_cache_define_parameters();
	watermarks_define();
	write_define_parameters();
	doorbell_define();
	turn_define();
	MarkGUCPrefixReserved("reason");
}

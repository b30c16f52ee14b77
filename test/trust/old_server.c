/* old_server.c: a server that says it is of another minor version. For test_old_server.py, which loads it before the extension. */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

static struct config_generic *
setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, false, ERROR);
#else
	struct config_generic **all = get_guc_variables();

	for (int i = 0; i < GetNumConfigOptions(); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	elog(ERROR, "there is no setting \"%s\"", name);
#endif
}

void
_PG_init(void)
{
	struct config_int *version = (struct config_int *) setting("server_version_num");

	version->min = 0;
	version->max = INT_MAX;
	SetConfigOption("server_version_num", SAID_VERSION, PGC_INTERNAL, PGC_S_OVERRIDE);
}

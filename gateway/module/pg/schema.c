/*
 * pg/schema.c: whether a new connection leads to a schema whose functions this gateway knows.
 *
 * It is asked once a connection, before any call. A database that has no such extension is taken as it is: which functions
 * it lacks, its answers say.
 */
#include "pg/reason_pg.h"

#include "core/schema_version.h"

#define REASON_TEXT_OF(x)  #x
#define REASON_TEXT(x)     REASON_TEXT_OF(x)

static const char  reason_version[] = REASON_TEXT(REASON_VERSION);


ngx_int_t
reason_schema_ask(reason_connection_t *connection)
{
    return PQsendQuery(connection->pg, "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'reasoning_graph'") ? NGX_OK : NGX_ERROR;
}


/* What is wrong with a version, for the log; NULL: nothing. It lasts until the next call. */
static const char *
reason_schema_refusal(const char *version)
{
    static char      text[256];
    enum schema_fit  fit = schema_fit(version, reason_version);

    if (fit == SCHEMA_FITS) {
        return NULL;
    }
    if (fit == SCHEMA_TOO_OLD) {
        (void) ngx_snprintf((u_char *) text, sizeof(text), "the schema in the database has version %s, too old for this gateway of version %s: "
                            "run ALTER EXTENSION reasoning_graph UPDATE%Z", version, reason_version);
    } else {
        (void) ngx_snprintf((u_char *) text, sizeof(text), "the schema in the database has version %s, too new for this gateway of version %s: "
                            "install a later gateway%Z", version, reason_version);
    }
    text[sizeof(text) - 1] = '\0';
    return text;
}


ngx_int_t
reason_schema_answer(reason_connection_t *connection)
{
    ngx_int_t  rc = NGX_OK;
    PGresult  *result;

    if (PQconsumeInput(connection->pg) == 0) {
        return NGX_ERROR;
    }
    while (!PQisBusy(connection->pg)) {
        result = PQgetResult(connection->pg);
        if (result == NULL) {
            return connection->refusal == NULL ? rc : NGX_DECLINED;
        }
        if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            rc = NGX_ERROR;
        } else if (PQntuples(result) == 1) {
            connection->refusal = reason_schema_refusal(PQgetvalue(result, 0, 0));
        }
        PQclear(result);
    }
    return NGX_AGAIN;
}

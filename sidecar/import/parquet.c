/*
 * parquet.c: rows of a Parquet file, read by DuckDB's library in memory of its own.
 *
 * DuckDB is asked for every column as text: of lists and structures their JSON, of times RFC 3339 in UTC.
 */
#include "import/columns.h"
#include "import/duckdb.h"
#include "import/source.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libduckdb.so"

struct parquet {
    struct source source;
    struct duckdb api;
    struct columns *columns;
    void *database, *connection;
    duckdb_result result;       /* rows, while `streaming` */
    bool streaming;
    void *chunk;
    uint64_t row, rows;         /* in the chunk */
    uint64_t all_rows;
    struct cell cells[COLUMNS_MOST];
};

static bool load(struct duckdb *api, const char *library, char why[WHY_SIZE])
{
    const struct {
        const char *name;
        void *function;
    } functions[] = {
        {"duckdb_create_config", &api->create_config},
        {"duckdb_set_config", &api->set_config},
        {"duckdb_destroy_config", &api->destroy_config},
        {"duckdb_open_ext", &api->open_ext},
        {"duckdb_close", &api->close},
        {"duckdb_connect", &api->connect},
        {"duckdb_disconnect", &api->disconnect},
        {"duckdb_prepare", &api->prepare},
        {"duckdb_prepare_error", &api->prepare_error},
        {"duckdb_destroy_prepare", &api->destroy_prepare},
        {"duckdb_bind_varchar", &api->bind_varchar},
        {"duckdb_pending_prepared_streaming", &api->pending_prepared_streaming},
        {"duckdb_pending_error", &api->pending_error},
        {"duckdb_execute_pending", &api->execute_pending},
        {"duckdb_destroy_pending", &api->destroy_pending},
        {"duckdb_result_error", &api->result_error},
        {"duckdb_destroy_result", &api->destroy_result},
        {"duckdb_column_count", &api->column_count},
        {"duckdb_column_name", &api->column_name},
        {"duckdb_column_type", &api->column_type},
        {"duckdb_fetch_chunk", &api->fetch_chunk},
        {"duckdb_destroy_data_chunk", &api->destroy_data_chunk},
        {"duckdb_data_chunk_get_size", &api->data_chunk_get_size},
        {"duckdb_data_chunk_get_vector", &api->data_chunk_get_vector},
        {"duckdb_vector_get_data", &api->vector_get_data},
        {"duckdb_vector_get_validity", &api->vector_get_validity},
    };

    api->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!api->library) {
        snprintf(why, WHY_SIZE, "Parquet is read with DuckDB's library, which could not be loaded (%s): --duckdb says where it is", dlerror());
        return false;
    }
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        void *found = dlsym(api->library, functions[i].name);

        if (!found) {
            snprintf(why, WHY_SIZE, "%s has no %s: DuckDB 1.0 or later is needed", library, functions[i].name);
            return false;
        }
        memcpy(functions[i].function, &found, sizeof(found));
    }
    return true;
}

static bool failed(char why[WHY_SIZE], const char *what, const char *said)
{
    snprintf(why, WHY_SIZE, "%s: %.800s", what, said ? said : "no reason was given");
    return false;
}

/* A database in memory, which fetches nothing from anywhere. */
static bool begin(struct parquet *parquet, char why[WHY_SIZE])
{
    static const char *const options[][2] = {
        {"autoinstall_known_extensions", "false"}, {"autoload_known_extensions", "false"}, {"threads", "1"}, {"memory_limit", "512MB"}
    };
    struct duckdb *api = &parquet->api;
    void *config = NULL;
    char *error = NULL;
    bool ok = api->create_config(&config) == DUCKDB_SUCCESS;

    for (size_t i = 0; ok && i < sizeof(options) / sizeof(*options); i++)
        ok = api->set_config(config, options[i][0], options[i][1]) == DUCKDB_SUCCESS;
    if (ok)
        ok = api->open_ext(NULL, &parquet->database, config, &error) == DUCKDB_SUCCESS
             && api->connect(parquet->database, &parquet->connection) == DUCKDB_SUCCESS;
    if (!ok)
        failed(why, "DuckDB cannot be started", error);
    if (config)
        api->destroy_config(&config);
    return ok;
}

/* Runs a query whose parameter is the file. The caller destroys the result when this is true. */
static bool ask(struct parquet *parquet, const char *query, duckdb_result *result, char why[WHY_SIZE])
{
    struct duckdb *api = &parquet->api;
    void *statement = NULL, *pending = NULL;
    bool ok = false;

    memset(result, 0, sizeof(*result));
    if (api->prepare(parquet->connection, query, &statement) != DUCKDB_SUCCESS)
        failed(why, "it cannot be read", api->prepare_error(statement));
    else if (api->bind_varchar(statement, 1, parquet->source.path) != DUCKDB_SUCCESS)
        failed(why, "it cannot be read", api->prepare_error(statement));
    else if (api->pending_prepared_streaming(statement, &pending) != DUCKDB_SUCCESS)
        failed(why, "it cannot be read", api->pending_error(pending));
    else if (api->execute_pending(pending, result) != DUCKDB_SUCCESS) {
        failed(why, "it cannot be read", api->result_error(result));
        api->destroy_result(result);
    } else
        ok = true;
    if (pending)
        api->destroy_pending(&pending);
    if (statement)
        api->destroy_prepare(&statement);
    return ok;
}

/* The next rows; false at the end, or with source.broken and the reason. */
static bool next_chunk(struct parquet *parquet, char why[WHY_SIZE])
{
    const char *error;

    if (parquet->chunk)
        parquet->api.destroy_data_chunk(&parquet->chunk);
    parquet->row = parquet->rows = 0;
    parquet->chunk = parquet->api.fetch_chunk(parquet->result);
    if (parquet->chunk) {
        parquet->rows = parquet->api.data_chunk_get_size(parquet->chunk);
        return parquet->rows > 0;
    }
    error = parquet->api.result_error(&parquet->result);
    if (error && *error) {
        parquet->source.broken = true;
        failed(why, "it cannot be read on", error);
    }
    return false;
}

static struct cell cell_of(struct parquet *parquet, int column)
{
    void *vector = parquet->api.data_chunk_get_vector(parquet->chunk, (duckdb_index)column);
    const uint64_t *validity = parquet->api.vector_get_validity(vector);
    const duckdb_string *text = (const duckdb_string *)parquet->api.vector_get_data(vector) + parquet->row;
    uint32_t length = text->inlined.length;

    if (validity && !(validity[parquet->row / 64] >> (parquet->row % 64) & 1))
        return (struct cell){.absent = true};
    return (struct cell){.bytes = length <= sizeof(text->inlined.text) ? text->inlined.text : text->apart.text, .length = length};
}

static enum taken parquet_next(struct source *source, ByteBuffer *out, char why[WHY_SIZE])
{
    struct parquet *parquet = (struct parquet *)source;
    size_t bytes = 0;

    if (parquet->row == parquet->rows && !next_chunk(parquet, why))
        return source->broken ? TAKEN_BAD : TAKEN_NONE;
    source->place++;
    for (int i = 0; i < columns_count(parquet->columns); i++) {
        parquet->cells[i] = cell_of(parquet, i);
        bytes += parquet->cells[i].absent ? 0 : parquet->cells[i].length;
    }
    parquet->row++;
    if (bytes > RECORD_MOST) {
        snprintf(why, WHY_SIZE, "a row has more than %zu MiB", RECORD_MOST >> 20);
        return TAKEN_BAD;
    }
    return columns_write(parquet->columns, parquet->cells, out, why) ? TAKEN : TAKEN_BAD;
}

/* Appends the column as the text that a record gets; false for what has none. */
static bool put_expression(ByteBuffer *query, const char *name, int type, enum column_form *form)
{
    const char *before = "CAST(", *after = " AS VARCHAR)";

    *form = COLUMN_TEXT;
    switch (type) {
    case DUCKDB_BOOLEAN: *form = COLUMN_BOOLEAN; break;
    case DUCKDB_HUGEINT:
    case DUCKDB_UHUGEINT:
    case DUCKDB_DECIMAL: *form = COLUMN_NUMBER; break;
    case DUCKDB_LIST:
    case DUCKDB_STRUCT:
    case DUCKDB_MAP:
    case DUCKDB_ARRAY:
        *form = COLUMN_JSON;
        before = "CAST(to_json(";
        after = ") AS VARCHAR)";
        break;
    case DUCKDB_TIMESTAMP:
    case DUCKDB_TIMESTAMP_S:
    case DUCKDB_TIMESTAMP_MS:
    case DUCKDB_TIMESTAMP_NS:
    case DUCKDB_TIMESTAMP_TZ:
        before = "strftime(make_timestamp(epoch_us(";
        after = ")), '%Y-%m-%dT%H:%M:%S.%fZ')";
        break;
    case DUCKDB_VARCHAR:
    case DUCKDB_ENUM:
    case DUCKDB_UUID:
    case DUCKDB_DATE:
    case DUCKDB_TIME:
    case DUCKDB_INTERVAL: break;
    default:
        if (type < DUCKDB_TINYINT || type > DUCKDB_DOUBLE)
            return false;
        *form = COLUMN_NUMBER;
    }
    if (query->length > strlen("SELECT "))
        buffer_append_literal(query, ", ");
    buffer_append(query, before, strlen(before));
    buffer_append_char(query, '"');
    for (; *name; name++) {
        buffer_append_char(query, *name);
        if (*name == '"')
            buffer_append_char(query, '"');
    }
    buffer_append_char(query, '"');
    buffer_append(query, after, strlen(after));
    return true;
}

/* The columns, and the query that gives their cells. */
static bool take_columns(struct parquet *parquet, ByteBuffer *query, char why[WHY_SIZE])
{
    struct duckdb *api = &parquet->api;
    duckdb_result result;
    bool ok;

    if (!ask(parquet, "SELECT * FROM read_parquet(?) LIMIT 0", &result, why))
        return false;
    ok = api->column_count(&result) > 0;
    buffer_append_literal(query, "SELECT ");
    for (duckdb_index i = 0; ok && i < api->column_count(&result); i++) {
        const char *name = api->column_name(&result, i);
        enum column_form form;

        if (!put_expression(query, name, api->column_type(&result, i), &form)) {
            snprintf(why, WHY_SIZE, "column \"%.200s\" has a type that JSON has no form for", name);
            ok = false;
        } else
            ok = columns_add(parquet->columns, name, form, why);
    }
    buffer_append_literal(query, " FROM read_parquet(?)");
    buffer_append_char(query, '\0');
    api->destroy_result(&result);
    return ok && !query->failed;
}

static bool count_rows(struct parquet *parquet, char why[WHY_SIZE])
{
    bool ok;

    if (!ask(parquet, "SELECT CAST(count(*) AS VARCHAR) FROM read_parquet(?)", &parquet->result, why))
        return false;
    ok = next_chunk(parquet, why);
    if (ok) {
        struct cell cell = cell_of(parquet, 0);
        char digits[24] = "";

        memcpy(digits, cell.bytes, cell.length < sizeof(digits) ? cell.length : sizeof(digits) - 1);
        parquet->all_rows = strtoull(digits, NULL, 10);
    }
    if (parquet->chunk)
        parquet->api.destroy_data_chunk(&parquet->chunk);
    parquet->rows = 0;
    parquet->api.destroy_result(&parquet->result);
    return ok;
}

static void parquet_close(struct source *source)
{
    struct parquet *parquet = (struct parquet *)source;

    if (parquet->chunk)
        parquet->api.destroy_data_chunk(&parquet->chunk);
    if (parquet->streaming)
        parquet->api.destroy_result(&parquet->result);
    if (parquet->connection)
        parquet->api.disconnect(&parquet->connection);
    if (parquet->database)
        parquet->api.close(&parquet->database);
    /* The library stays loaded: it has threads of its own. */
    columns_free(parquet->columns);
    free(parquet);
}

static double parquet_progress(const struct source *source)
{
    const struct parquet *parquet = (const struct parquet *)source;

    return parquet->all_rows ? (double)source->place / (double)parquet->all_rows : -1;
}

struct source *parquet_open(const char *path, enum kind kind, const struct settings *settings, char why[WHY_SIZE])
{
    struct parquet *parquet = calloc(1, sizeof(*parquet));
    ByteBuffer query;
    bool ok = false;

    buffer_init(&query, NULL, NULL);
    if (!parquet) {
        snprintf(why, WHY_SIZE, "out of memory");
        return NULL;
    }
    parquet->source = (struct source){.next = parquet_next, .close = parquet_close, .progress = parquet_progress, .path = path, .unit = "row"};
    parquet->columns = columns_new(kind, settings);
    if (strcmp(path, "-") == 0)
        snprintf(why, WHY_SIZE, "Parquet cannot be read from standard input: its index is at the end");
    else if (strpbrk(path, "*?["))
        snprintf(why, WHY_SIZE, "DuckDB would take *, ? and [ in the name for a pattern: give the file another name");
    else if (access(path, R_OK) != 0)
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
    else if (!parquet->columns)
        snprintf(why, WHY_SIZE, "out of memory");
    else
        ok = load(&parquet->api, settings->duckdb ? settings->duckdb : LIBRARY, why) && begin(parquet, why) && take_columns(parquet, &query, why)
             && count_rows(parquet, why) && ask(parquet, query.data, &parquet->result, why);
    buffer_free(&query);
    if (ok) {
        parquet->streaming = true;
        return &parquet->source;
    }
    parquet_close(&parquet->source);
    return NULL;
}

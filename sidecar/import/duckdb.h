/*
 * duckdb.h: what is used of DuckDB's C API (https://duckdb.org/docs/stable/clients/c/api), whose library is loaded only when a
 * Parquet file is read.
 */
#ifndef REASON_IMPORT_DUCKDB_H
#define REASON_IMPORT_DUCKDB_H

#include <stdint.h>

typedef uint64_t duckdb_index;

enum { DUCKDB_SUCCESS = 0 };

enum duckdb_type {
    DUCKDB_BOOLEAN = 1,
    DUCKDB_TINYINT = 2,
    DUCKDB_DOUBLE = 11,         /* from DUCKDB_TINYINT on all are numbers */
    DUCKDB_TIMESTAMP = 12,
    DUCKDB_DATE = 13,
    DUCKDB_TIME = 14,
    DUCKDB_INTERVAL = 15,
    DUCKDB_HUGEINT = 16,
    DUCKDB_VARCHAR = 17,
    DUCKDB_DECIMAL = 19,
    DUCKDB_TIMESTAMP_S = 20,
    DUCKDB_TIMESTAMP_MS = 21,
    DUCKDB_TIMESTAMP_NS = 22,
    DUCKDB_ENUM = 23,
    DUCKDB_LIST = 24,
    DUCKDB_STRUCT = 25,
    DUCKDB_MAP = 26,
    DUCKDB_UUID = 27,
    DUCKDB_TIMESTAMP_TZ = 31,
    DUCKDB_UHUGEINT = 32,
    DUCKDB_ARRAY = 33,
};

typedef struct {
    duckdb_index deprecated[3];
    void *deprecated_columns;
    char *deprecated_error;
    void *internal;
} duckdb_result;

typedef union {
    struct {
        uint32_t length;
        char prefix[4];
        char *text;
    } apart;
    struct {
        uint32_t length;
        char text[12];
    } inlined;                  /* as many as have room */
} duckdb_string;

/* Handles are pointers to what nobody looks into. */
struct duckdb {
    void *library;
    int (*create_config)(void **config);
    int (*set_config)(void *config, const char *name, const char *value);
    void (*destroy_config)(void **config);
    int (*open_ext)(const char *path, void **database, void *config, char **error);
    void (*close)(void **database);
    int (*connect)(void *database, void **connection);
    void (*disconnect)(void **connection);
    int (*prepare)(void *connection, const char *query, void **statement);
    const char *(*prepare_error)(void *statement);
    void (*destroy_prepare)(void **statement);
    int (*bind_varchar)(void *statement, duckdb_index number, const char *value);
    int (*pending_prepared_streaming)(void *statement, void **pending);
    const char *(*pending_error)(void *pending);
    int (*execute_pending)(void *pending, duckdb_result *result);
    void (*destroy_pending)(void **pending);
    const char *(*result_error)(duckdb_result *result);
    void (*destroy_result)(duckdb_result *result);
    duckdb_index (*column_count)(duckdb_result *result);
    const char *(*column_name)(duckdb_result *result, duckdb_index column);
    int (*column_type)(duckdb_result *result, duckdb_index column);
    void *(*fetch_chunk)(duckdb_result result);
    void (*destroy_data_chunk)(void **chunk);
    duckdb_index (*data_chunk_get_size)(void *chunk);
    void *(*data_chunk_get_vector)(void *chunk, duckdb_index column);
    void *(*vector_get_data)(void *vector);
    uint64_t *(*vector_get_validity)(void *vector);
};

#endif

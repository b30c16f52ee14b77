/*
 * gateway_memory.h: memory of the gateway's module as AddressSanitizer can watch it.
 *
 * nginx cuts what modules ask for out of blocks of a pool, where nobody sees one piece run into the next, or be used after
 * its pool is gone. Included before each source of the module (-include), this makes each piece a block of its own, which
 * goes when its pool does.
 */
#ifndef REASON_GATEWAY_MEMORY_H
#define REASON_GATEWAY_MEMORY_H

/* Its checks would stand in the way of AddressSanitizer's. */
#undef _FORTIFY_SOURCE

#include <ngx_config.h>
#include <ngx_core.h>

#include <stdlib.h>

static void
watched_free(void *data)
{
    free(data);
}


static inline void *
watched_alloc(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *cleanup = ngx_pool_cleanup_add(pool, 0);

    if (cleanup == NULL) {
        return NULL;
    }
    cleanup->data = malloc(size ? size : 1);
    cleanup->handler = watched_free;
    return cleanup->data;
}


static inline void *
watched_calloc(ngx_pool_t *pool, size_t size)
{
    void  *data = watched_alloc(pool, size);

    if (data != NULL) {
        ngx_memzero(data, size);
    }
    return data;
}


/* What a piece of nginx's own would do when it is given back early: it is gone at once. */
static inline ngx_int_t
watched_pfree(ngx_pool_t *pool, void *data)
{
    ngx_pool_cleanup_t  *cleanup;

    for (cleanup = pool->cleanup; cleanup; cleanup = cleanup->next) {
        if (cleanup->handler == watched_free && cleanup->data == data) {
            cleanup->handler = NULL;
            free(data);
            return NGX_OK;
        }
    }
    return NGX_DECLINED;
}


static inline ngx_buf_t *
watched_temp_buf(ngx_pool_t *pool, size_t size)
{
    ngx_buf_t  *b = watched_calloc(pool, sizeof(ngx_buf_t));

    if (b == NULL) {
        return NULL;
    }
    b->start = b->pos = b->last = watched_alloc(pool, size);
    b->end = b->start + size;
    b->temporary = 1;
    return b;
}


#define ngx_palloc(pool, size)           watched_alloc(pool, size)
#define ngx_pnalloc(pool, size)          watched_alloc(pool, size)
#define ngx_pcalloc(pool, size)          watched_calloc(pool, size)
#define ngx_pfree(pool, data)            watched_pfree(pool, data)
#define ngx_create_temp_buf(pool, size)  watched_temp_buf(pool, size)

#endif

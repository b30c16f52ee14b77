/*
 * pg/client_share.c: what one client may take of an upstream, and whose turn it is.
 *
 * A client is what reason_client says of a request: the identity of its certificate. Each has a share of the connections,
 * of the places in the queue, of the memory for bodies on their way to PostgreSQL and of the disk for what a slow client
 * has not taken yet. A connection that becomes free goes to the client that has the fewest, so that one who asks for
 * everything waits behind one who asks for little.
 *
 * Calls are of four classes. "service" (health, readiness) and "write" each have connections that others leave to them:
 * as many as are reserved and not in use by their class. "heavy" is a read that may take long; a client has fewer of
 * those at a time than of others. A client whose reads take long of late has no more of them either. A client whose reads
 * have used up its share may still write, once at a time.
 *
 * Shares are counted in each worker. A pipeline of quick calls counts as one connection: of the client whose call is
 * being served.
 */
#include "pg/reason_pg.h"

#define REASON_LONG_READ  100000    /* microseconds: reads that take longer, on average of late, are heavy ones */

void
reason_share_init(reason_pool_t *pool)
{
    ngx_queue_init(&pool->waiting);
    ngx_rbtree_init(&pool->shares, &pool->shares_sentinel, ngx_str_rbtree_insert_value);
}


static reason_share_t *
reason_share_create(reason_pool_t *pool, ngx_str_t *name, uint32_t hash)
{
    ngx_uint_t       class;
    reason_share_t  *share = ngx_calloc(sizeof(reason_share_t) + name->len, pool->log);

    if (share == NULL) {
        return NULL;
    }
    share->pool = pool;
    share->node.node.key = hash;
    share->node.str.len = name->len;
    share->node.str.data = (u_char *) (share + 1);
    if (name->len > 0) {
        ngx_memcpy(share + 1, name->data, name->len);
    }
    for (class = 0; class < REASON_CLASS_COUNT; class++) {
        ngx_queue_init(&share->waiting[class]);
    }
    ngx_rbtree_insert(&pool->shares, &share->node.node);
    return share;
}


reason_share_t *
reason_share_get(reason_pool_t *pool, ngx_str_t *name)
{
    uint32_t         hash = ngx_crc32_short(name->data, name->len);
    reason_share_t  *share = (reason_share_t *) ngx_str_rbtree_lookup(&pool->shares, name, hash);

    if (share == NULL) {
        share = reason_share_create(pool, name, hash);
    }
    if (share != NULL) {
        share->references++;
    }
    return share;
}


void
reason_share_release(reason_share_t *share)
{
    if (--share->references == 0) {
        ngx_rbtree_delete(&share->pool->shares, &share->node.node);
        ngx_free(share);
    }
}


/* Requests without a client, such as those of the operations port, share without limit. */
static ngx_uint_t
reason_share_limited(reason_share_t *share)
{
    return share->node.str.len > 0;
}


/* May the client have one more connection for this call, whether or not one is idle? */
static ngx_uint_t
reason_share_fits(reason_job_t *job)
{
    ngx_uint_t       heavy;
    reason_pool_t   *pool = job->pool;
    reason_share_t  *share = job->share;

    if (job->memory > 0 && pool->memory > 0 && pool->memory + job->memory > pool->memory_max) {
        return 0;
    }
    if (!reason_share_limited(share)) {
        return 1;
    }
    if (job->memory > 0 && share->memory > 0 && share->memory + job->memory > pool->client_memory) {
        return 0;
    }
    switch (job->class) {
    case REASON_CLASS_SERVICE:
        return 1;
    case REASON_CLASS_WRITE:
        return share->sessions < pool->client_connections || share->busy[REASON_CLASS_WRITE] == 0;
    case REASON_CLASS_HEAVY:
        heavy = share->busy[REASON_CLASS_HEAVY];
        break;
    default:
        heavy = share->cost > REASON_LONG_READ ? share->busy[REASON_CLASS_HEAVY] + share->busy[REASON_CLASS_READ] : 0;
    }
    return share->sessions < pool->client_connections && heavy < pool->client_heavy;
}


/* Is a connection idle that is not kept for another class? */
static ngx_uint_t
reason_share_has_room(reason_pool_t *pool, reason_class_e class)
{
    ngx_uint_t  other, kept = 0;

    if (pool->connected_count <= pool->reserve[REASON_CLASS_SERVICE] + pool->reserve[REASON_CLASS_WRITE]) {
        return pool->idle_count > 0;
    }
    if (class == REASON_CLASS_SERVICE && pool->reserve[class] > 0 && pool->busy[class] >= pool->reserve[class]) {
        return 0;
    }
    for (other = 0; other < REASON_CLASS_COUNT; other++) {
        if (other != class && pool->reserve[other] > pool->busy[other]) {
            kept += pool->reserve[other] - pool->busy[other];
        }
    }
    return pool->idle_count > kept;
}


/* May this call have an idle connection now? */
ngx_uint_t
reason_share_allows(reason_job_t *job)
{
    return ngx_queue_empty(&job->share->waiting[job->class]) && reason_share_fits(job) && reason_share_has_room(job->pool, job->class);
}


/* The first waiting request of this client that may have a connection; with room, one that may have an idle connection. */
static reason_job_t *
reason_share_first(reason_share_t *share, ngx_uint_t room)
{
    ngx_uint_t     class;
    reason_job_t  *job, *first = NULL;

    for (class = 0; class < REASON_CLASS_COUNT; class++) {
        if (ngx_queue_empty(&share->waiting[class])) {
            continue;
        }
        job = ngx_queue_data(ngx_queue_head(&share->waiting[class]), reason_job_t, queue);
        if (!reason_share_fits(job) || (room && !reason_share_has_room(share->pool, class))) {
            continue;
        }
        if (class == REASON_CLASS_SERVICE) {
            return job;
        }
        if (first == NULL || (ngx_int_t) (job->ticket - first->ticket) < 0) {
            first = job;
        }
    }
    return first;
}


static reason_job_t *
reason_share_best(reason_pool_t *pool, ngx_uint_t room)
{
    ngx_queue_t   *q;
    reason_job_t  *job, *best = NULL;

    for (q = ngx_queue_head(&pool->waiting); q != ngx_queue_sentinel(&pool->waiting); q = ngx_queue_next(q)) {
        job = reason_share_first(ngx_queue_data(q, reason_share_t, queue), room);
        if (job == NULL) {
            continue;
        }
        if (job->class == REASON_CLASS_SERVICE) {
            return job;
        }
        if (best == NULL || job->share->sessions < best->share->sessions) {
            best = job;
        }
    }
    return best;
}


reason_job_t *
reason_share_next(reason_pool_t *pool, reason_connection_t *behind)
{
    reason_job_t  *job;

    if (pool->waiting_count == 0 || (behind == NULL && ngx_queue_empty(&pool->idle))) {
        return NULL;
    }
    job = reason_share_best(pool, behind == NULL);
    /* no call overtakes another: one that cannot share a connection would wait for ever */
    return job != NULL && behind != NULL && !reason_in_flight_takes(behind, job) ? NULL : job;
}


/* Does anybody wait only because no connection is free? */
ngx_uint_t
reason_share_presses(reason_pool_t *pool)
{
    return pool->waiting_count > 0 && reason_share_best(pool, 0) != NULL;
}


ngx_uint_t
reason_share_is_full(reason_job_t *job)
{
    return reason_share_limited(job->share) && job->share->waiting_count >= job->pool->client_queue;
}


void
reason_share_wait(reason_job_t *job, ngx_uint_t first)
{
    reason_share_t  *share = job->share;
    ngx_queue_t     *waiting = &share->waiting[job->class];

    if (first) {
        ngx_queue_insert_head(waiting, &job->queue);
    } else {
        ngx_queue_insert_tail(waiting, &job->queue);
    }
    if (share->waiting_count++ == 0) {
        ngx_queue_insert_tail(&share->pool->waiting, &share->queue);
    }
    share->pool->waiting_count++;
}


/* Its client is the last whose turn comes next, among those that have as many connections. */
void
reason_share_leave(reason_job_t *job)
{
    reason_share_t  *share = job->share;

    ngx_queue_remove(&job->queue);
    ngx_queue_remove(&share->queue);
    if (--share->waiting_count > 0) {
        ngx_queue_insert_tail(&share->pool->waiting, &share->queue);
    }
    share->pool->waiting_count--;
}


/* The call's turn has come: the connection is its client's. */
void
reason_share_begin(reason_connection_t *connection, reason_call_t *call)
{
    connection->pool->busy[call->class]++;
    connection->pool->memory += call->memory;
    call->share->busy[call->class]++;
    call->share->sessions++;
    call->share->memory += call->memory;
}


void
reason_share_end(reason_connection_t *connection, reason_call_t *call, ngx_uint_t took)
{
    if (call->class == REASON_CLASS_READ) {
        call->share->cost = (7 * call->share->cost + took) / 8;
    }
    connection->pool->busy[call->class]--;
    connection->pool->memory -= call->memory;
    call->share->busy[call->class]--;
    call->share->sessions--;
    call->share->memory -= call->memory;
}


/* NGX_BUSY: the client has as much on disk as it may. */
ngx_int_t
reason_share_use_disk(reason_job_t *job, off_t size)
{
    job->share->disk += size;
    job->disk += size;
    return reason_share_limited(job->share) && job->share->disk > job->pool->client_disk ? NGX_BUSY : NGX_OK;
}


void
reason_share_free_disk(reason_job_t *job, off_t size)
{
    job->share->disk -= size;
    job->disk -= size;
}

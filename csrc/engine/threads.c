/* SPDX-License-Identifier: MIT */
/*
 * threads.c - the pool of threads and its queue of work
 *
 *   submit:  batch -> queue of reads, or queue of other work
 *   worker:  takes runs of items off the front batch, reads first, and goes on
 *            to the next batch without waiting for this one to be done
 *   wait:    sleeps until the batch's last item is done, whoever does it; with
 *            no threads the caller is the worker
 *
 * One lock guards the queues.  It is taken once a run, not once an item, and
 * once when a batch is done.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../clock.h"
#include "../jpeg/header.h"
#include "../jpeg/huffman_cache.h"
#include "recipe.h"
#include "threads.h"
#include "worker.h"

#define MAX_THREADS 1024

/*
 * Items taken at a time: few enough to leave the end of a batch to all threads,
 * enough that tiny files (2 us each) do not fight for the lock.
 */
#define MAX_RUN 16
#define RUNS_PER_THREAD 4

/* First in, first out; 'last' is valid unless 'first' is NULL. */
struct queue {
	struct dctload_batch *first, *last;
};

/* In the batch's order. */
struct run {
	struct dctload_batch *batch;
	u32 next, end;
};

struct thread {
	struct dctload_engine *engine;
	pthread_t id;
	struct worker worker;
	struct run run;
	struct dctload_batch *done_batch; /* has 'num_done' items not told of */
	u32 num_done;

	/* Only while the caller of dctload_wait() is the worker. */
	struct dctload_batch *until_done;
	u64 deadline_ns;
};

struct dctload_engine {
	u32 num_threads;
	u32 num_started;
	pid_t pid; /* other pids see an inert engine */

	pthread_mutex_t lock;
	pthread_cond_t has_work;   /* or 'stop' */
	pthread_cond_t batch_done; /* or 'caller_works' fell */
	struct queue reads, others;
	atomic_uint num_queued; /* batches; to be read without lock */
	bool stop;
	bool caller_works; /* thread 0 is some caller's */

	/* Each with a lock of its own. */
	struct chunk_pool chunks; /* for files */
	struct huff_pool tables;

	struct thread threads[]; /* num_threads, at least 1 */
};

#define NO_DEADLINE UINT64_MAX

/* ---- the queues, all under the lock ------------------------------------- */

static void
queue_push(struct dctload_engine *e, struct queue *q, struct dctload_batch *b)
{
	atomic_fetch_add(&e->num_queued, 1);
	b->queue_next = NULL;
	if (q->first == NULL)
		q->first = b;
	else
		q->last->queue_next = b;
	q->last = b;
}

static bool
queue_remove(struct dctload_engine *e, struct queue *q, struct dctload_batch *b)
{
	struct dctload_batch *before = NULL;

	for (struct dctload_batch *i = q->first; i != b; i = i->queue_next) {
		if (i == NULL)
			return false;
		before = i;
	}
	if (before == NULL)
		q->first = b->queue_next;
	else
		before->queue_next = b->queue_next;
	if (q->last == b)
		q->last = before;
	atomic_fetch_sub(&e->num_queued, 1);
	return true;
}

/* Take items off the front: reads before other work. */
static bool
take_run(struct dctload_engine *e, struct run *run_ret)
{
	struct queue *q = e->reads.first != NULL ? &e->reads : &e->others;
	struct dctload_batch *b = q->first;
	u32 left, n;

	if (b == NULL)
		return false;
	left = b->num_items - b->next;
	n = left / (RUNS_PER_THREAD * max_u32(e->num_threads, 1));
	n = min_u32(max_u32(n, 1), MAX_RUN);
	*run_ret = (struct run){ b, b->next, b->next + n };
	b->next += n;
	if (n == left)
		queue_remove(e, q, b);
	return true;
}

/* 'n' more items of 'b' are done.  After the last 'b' is not touched again. */
static void
finish_items_locked(struct dctload_engine *e, struct dctload_batch *b, u32 n)
{
	if (atomic_fetch_sub(&b->pending, n) == n) {
		if (b->forget_files)
			batch_forget_files(b, &e->chunks);
		atomic_store(&b->engine, NULL);
		pthread_cond_broadcast(&e->batch_done);
	}
}

static void
finish_items(struct dctload_engine *e, struct dctload_batch *b, u32 n)
{
	u32 pending = atomic_load(&b->pending);

	/* The last ones need the lock; the others must not become the last. */
	while (pending > n) {
		if (atomic_compare_exchange_weak(&b->pending, &pending,
						 pending - n))
			return;
	}
	/* This one is left, so nobody else touches the batch. */
	if (b->forget_files)
		batch_forget_files(b, &e->chunks);
	b->forget_files = false; /* under the lock it need not be done again */
	pthread_mutex_lock(&e->lock);
	finish_items_locked(e, b, n);
	pthread_mutex_unlock(&e->lock);
}

/* ---- a worker's view ----------------------------------------------------- */

static bool
caller_should_return(struct thread *t)
{
	return t->until_done != NULL &&
	       (atomic_load(&t->until_done->engine) != t->engine ||
		now_ns() >= t->deadline_ns);
}

static void
do_reads(struct thread *t)
{
	struct dctload_batch *b = t->run.batch;
	const u32 num_items = t->run.end - t->run.next;
	const u64 start = now_ns();

	while (t->run.next < t->run.end) {
		const struct job job = { b,
					 &b->items[b->order[t->run.next++]] };

		if (!job.item->skip)
			worker_read(&t->worker, &t->engine->chunks, &job);
	}
	finish_items(t->engine, b, num_items);
	stat_add(&t->worker.stats.read_ns, now_ns() - start);
}

/*
 * job_source: reads met on the way are done here, in the middle of a drain.  A
 * decoder with lanes to fill asks often, so an empty queue is seen without the
 * lock.
 */
static bool
next_job(void *ctx, struct job *job_ret)
{
	struct thread *t = ctx;
	struct dctload_engine *e = t->engine;
	struct dctload_batch *b;

	while (t->run.next == t->run.end) {
		bool found = false;

		if (atomic_load(&e->num_queued) == 0 || caller_should_return(t))
			return false;
		pthread_mutex_lock(&e->lock);
		if (!e->stop)
			found = take_run(e, &t->run);
		pthread_mutex_unlock(&e->lock);
		if (!found)
			return false;
		if (t->run.batch->work == WORK_READ)
			do_reads(t);
	}
	b = t->run.batch;
	job_ret->batch = b;
	job_ret->item = &b->items[b->order[t->run.next++]];
	return true;
}

/* Tell about items that are done and not told about. */
static void
tell_done(struct thread *t)
{
	if (t->num_done != 0)
		finish_items(t->engine, t->done_batch, t->num_done);
	t->num_done = 0;
}

/*
 * Telling is an atomic operation, which waits for all the stores of coefficients
 * before it: 60 ns, where a tiny image takes 1,000.  A thread that is alone knows
 * when its batch is done, and tells of no item before, unless it goes on with
 * another batch.
 */
static void
job_done(void *ctx, const struct job *job)
{
	struct thread *t = ctx;

	if (t->done_batch != job->batch)
		tell_done(t);
	t->done_batch = job->batch;
	t->num_done++;
	if (t->engine->num_threads > 1 ||
	    t->num_done >= atomic_load(&job->batch->pending))
		tell_done(t);
}

/* Do everything there is to do. */
static void
drain(struct thread *t)
{
	const struct job_source source = { next_job, job_done, t };
	struct worker_stats *stats = &t->worker.stats;
	const u64 start = now_ns();
	const u64 read_before = atomic_load(&stats->read_ns);
	u64 reading;

	worker_drain(&t->worker, &source);
	tell_done(t);
	reading = atomic_load(&stats->read_ns) - read_before;
	stat_add(&stats->work_ns, now_ns() - start - reading);
}

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	struct dctload_engine *e = t->engine;

	pthread_mutex_lock(&e->lock);
	while (!e->stop) {
		if (atomic_load(&e->num_queued) != 0) {
			pthread_mutex_unlock(&e->lock);
			drain(t);
			pthread_mutex_lock(&e->lock);
		} else {
			const u64 start = now_ns();

			pthread_cond_wait(&e->has_work, &e->lock);
			stat_add(&t->worker.stats.idle_ns, now_ns() - start);
		}
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* ---- the engine ---------------------------------------------------------- */

static bool
is_inert(const struct dctload_engine *e)
{
	return e->pid != getpid();
}

static void
init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct dctload_engine *
dctload_alloc_engine(uint32_t num_threads)
{
	struct dctload_engine *e;
	u32 num_workers;

	num_threads = min_u32(num_threads, MAX_THREADS);
	num_workers = max_u32(num_threads, 1);
	e = calloc(1, sizeof(*e) + num_workers * sizeof(e->threads[0]));
	if (e == NULL)
		return NULL;
	e->num_threads = num_threads;
	e->pid = getpid();
	pthread_mutex_init(&e->lock, NULL);
	init_cond(&e->has_work);
	init_cond(&e->batch_done);
	chunk_pool_init(&e->chunks);
	huff_pool_init(&e->tables);
	for (u32 i = 0; i < num_workers; i++) {
		e->threads[i].engine = e;
		e->threads[i].worker.tables = &e->tables;
	}
	return e;
}

/* Signals are the caller's: a worker never takes one. */
static int
start_thread(struct thread *t)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* Fewer threads than asked for are good enough; none are not. */
static bool
start_threads(struct dctload_engine *e)
{
	if (e->num_started != 0)
		return true;
	while (e->num_started < e->num_threads &&
	       start_thread(&e->threads[e->num_started]) == 0)
		e->num_started++;
	return e->num_started != 0 || e->num_threads == 0;
}

/* Under the lock: drop what no worker has taken. */
static void
cancel_locked(struct dctload_engine *e, struct dctload_batch *b)
{
	u32 dropped;

	if (!queue_remove(e, &e->reads, b) && !queue_remove(e, &e->others, b))
		return;
	dropped = b->num_items - b->next;
	for (u32 i = b->next; i < b->num_items; i++) {
		struct dctload_item *item = &b->items[b->order[i]];

		if (!item->skip &&
		    (item->status == DCTLOAD_OK || b->work == WORK_READ ||
		     b->work == WORK_LOAD))
			item->status = DCTLOAD_CANCELLED;
	}
	finish_items_locked(e, b, dropped);
}

void
dctload_stop_engine(struct dctload_engine *e)
{
	u32 num_started;

	if (is_inert(e))
		return;
	pthread_mutex_lock(&e->lock);
	while (e->reads.first != NULL)
		cancel_locked(e, e->reads.first);
	while (e->others.first != NULL)
		cancel_locked(e, e->others.first);
	e->stop = true;
	num_started = e->num_started;
	e->num_started = 0; /* only one caller joins them */
	pthread_cond_broadcast(&e->has_work);
	pthread_mutex_unlock(&e->lock);
	for (u32 i = 0; i < num_started; i++)
		pthread_join(e->threads[i].id, NULL);
}

void
dctload_free_engine(struct dctload_engine *e)
{
	if (e == NULL)
		return;
	dctload_stop_engine(e);
	for (u32 i = 0; i < max_u32(e->num_threads, 1); i++)
		worker_release(&e->threads[i].worker);
	chunk_pool_destroy(&e->chunks);
	/* After a fork in the middle of a change the pool may be no more a list. */
	if (!is_inert(e)) {
		huff_pool_destroy(&e->tables);
		pthread_cond_destroy(&e->batch_done);
		pthread_cond_destroy(&e->has_work);
		pthread_mutex_destroy(&e->lock);
	}
	free(e);
}

/* ---- submitting ----------------------------------------------------------- */

/* The batch is idle and fits; otherwise it is the caller's mistake. */
static enum dctload_status
prepare(struct dctload_engine *e, struct dctload_batch *b, u32 num_items,
	const struct dctload_limits *limits)
{
	if (is_inert(e) || num_items > b->capacity ||
	    atomic_load(&b->engine) != NULL)
		return DCTLOAD_BAD_ARGUMENT;
	b->limits = limits_in_force(limits);
	b->forget_files = false;
	return DCTLOAD_OK;
}

static enum dctload_status
submit(struct dctload_engine *e, struct dctload_batch *b, enum work work,
       u32 num_items)
{
	enum dctload_status status = DCTLOAD_OK;

	if (num_items == 0)
		return DCTLOAD_OK;
	b->work = work;
	b->num_items = num_items;
	b->next = 0;
	b->pid = e->pid;
	if (work == WORK_DECODE && e->num_threads > 1)
		batch_order_by_size(b, num_items);
	else
		batch_order_as_given(b, num_items);

	pthread_mutex_lock(&e->lock);
	if (e->stop) {
		status = DCTLOAD_BAD_ARGUMENT;
	} else if (!start_threads(e)) {
		status = DCTLOAD_NO_MEMORY;
	} else {
		atomic_store(&b->pending, num_items);
		atomic_store(&b->engine, e);
		queue_push(e, work == WORK_READ ? &e->reads : &e->others, b);
		pthread_cond_broadcast(&e->has_work);
	}
	pthread_mutex_unlock(&e->lock);
	return status;
}

enum dctload_status
dctload_submit_read(struct dctload_engine *e, struct dctload_batch *b,
		    uint32_t num_items, const struct dctload_limits *limits)
{
	const enum dctload_status status = prepare(e, b, num_items, limits);

	if (status != DCTLOAD_OK)
		return status;
	arena_reset(&b->files, &e->chunks);
	return submit(e, b, WORK_READ, num_items);
}

enum dctload_status
dctload_submit_decode(struct dctload_engine *e, struct dctload_batch *b,
		      uint32_t num_items, const struct dctload_limits *limits,
		      uint32_t flags)
{
	const enum dctload_status status = prepare(e, b, num_items, limits);

	if (status != DCTLOAD_OK)
		return status;
	b->flags = flags;
	b->bypass_cache = batch_leaves_cache(batch_coefs_nbytes(b, num_items));
	return submit(e, b, WORK_DECODE, num_items);
}

enum dctload_status
dctload_submit_sample(struct dctload_engine *e, struct dctload_batch *b,
		      uint32_t num_items, const struct dctload_limits *limits,
		      uint32_t flags, const struct dctload_output *output)
{
	const enum dctload_status status = prepare(e, b, num_items, limits);

	if (status != DCTLOAD_OK)
		return status;
	b->flags = flags;
	batch_set_output(b, num_items, output);
	b->forget_files = batch_skips_none(b, num_items);
	return submit(e, b, WORK_SAMPLE, num_items);
}

enum dctload_status
dctload_submit_excerpt(struct dctload_engine *e, struct dctload_batch *b,
		       uint32_t num_items, const struct dctload_limits *limits,
		       uint32_t flags)
{
	const enum dctload_status status = prepare(e, b, num_items, limits);

	if (status != DCTLOAD_OK)
		return status;
	b->flags = flags;
	b->bypass_cache = false;
	b->forget_files = batch_skips_none(b, num_items);
	return submit(e, b, WORK_EXCERPT, num_items);
}

enum dctload_status
dctload_submit_load(struct dctload_engine *e, struct dctload_batch *b,
		    uint32_t num_items, const struct dctload_limits *limits,
		    const struct dctload_output *output,
		    const struct dctload_recipe *recipe, uint64_t seed,
		    uint64_t epoch, const uint64_t *ids)
{
	const enum dctload_status status = prepare(e, b, num_items, limits);

	if (status != DCTLOAD_OK)
		return status;
	if (!recipe_is_valid(recipe))
		return DCTLOAD_BAD_ARGUMENT;
	arena_reset(&b->files, &e->chunks);
	b->flags = 0;
	batch_set_output(b, num_items, output);
	b->recipe = *recipe;
	b->seed = seed;
	b->epoch = epoch;
	b->ids = ids;
	return submit(e, b, WORK_LOAD, num_items);
}

/* ---- waiting --------------------------------------------------------------- */

static bool
is_done(struct dctload_engine *e, struct dctload_batch *b)
{
	return atomic_load(&b->engine) != e;
}

/* Wait for a change; false when the time is up.  Under the lock. */
static bool
wait_for_change(struct dctload_engine *e, u64 deadline_ns)
{
	struct timespec ts;

	if (deadline_ns == NO_DEADLINE) {
		pthread_cond_wait(&e->batch_done, &e->lock);
		return true;
	}
	ts.tv_sec = (time_t)(deadline_ns / 1000000000);
	ts.tv_nsec = (long)(deadline_ns % 1000000000);
	return pthread_cond_timedwait(&e->batch_done, &e->lock, &ts) !=
	       ETIMEDOUT;
}

/* Without threads: one caller at a time is the worker.  Under the lock. */
static void
work_as_caller(struct dctload_engine *e, struct dctload_batch *b,
	       u64 deadline_ns)
{
	struct thread *t = &e->threads[0];

	e->caller_works = true;
	pthread_mutex_unlock(&e->lock);
	t->until_done = b;
	t->deadline_ns = deadline_ns;
	drain(t);
	t->until_done = NULL;
	pthread_mutex_lock(&e->lock);
	e->caller_works = false;
	pthread_cond_broadcast(&e->batch_done);
}

uint32_t
dctload_wait(struct dctload_engine *e, struct dctload_batch *b,
	     int64_t timeout_ms)
{
	u64 deadline_ns = NO_DEADLINE;
	bool in_time = true;
	u32 left;

	if (is_inert(e))
		return is_done(e, b) ? 0 : atomic_load(&b->pending);
	if (timeout_ms >= 0)
		deadline_ns = now_ns() + (u64)timeout_ms * 1000000;

	pthread_mutex_lock(&e->lock);
	while (!is_done(e, b) && in_time) {
		if (e->num_threads == 0 && !e->caller_works) {
			work_as_caller(e, b, deadline_ns);
			in_time = now_ns() < deadline_ns;
		} else {
			in_time = wait_for_change(e, deadline_ns);
		}
	}
	/* Without the lock none may be left, and the engine still have the batch. */
	left = is_done(e, b) ? 0 : atomic_load(&b->pending);
	pthread_mutex_unlock(&e->lock);
	return left;
}

void
dctload_cancel(struct dctload_engine *e, struct dctload_batch *b)
{
	if (is_inert(e))
		return;
	pthread_mutex_lock(&e->lock);
	cancel_locked(e, b);
	pthread_mutex_unlock(&e->lock);
}

void
engine_forget_batch(struct dctload_batch *b)
{
	struct dctload_engine *e = atomic_load(&b->engine);

	/* After a fork the engine may be gone, and its threads are. */
	if (e == NULL || b->pid != getpid())
		return;
	dctload_cancel(e, b);
	(void)dctload_wait(e, b, -1);
}

void
dctload_get_stats(struct dctload_engine *e,
		  struct dctload_engine_stats *stats_ret)
{
	memset(stats_ret, 0, sizeof(*stats_ret));
	for (u32 i = 0; i < max_u32(e->num_threads, 1); i++)
		worker_add_stats(&e->threads[i].worker, stats_ret);
}

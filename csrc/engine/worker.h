/* SPDX-License-Identifier: MIT */
/* worker.h - what one thread does with the items it is given */
#ifndef DCTLOAD_WORKER_H
#define DCTLOAD_WORKER_H

#include <stdatomic.h>

#include "batch.h"

struct job {
	struct dctload_batch *batch;
	struct dctload_item *item;
};

/* Times in nanoseconds.  Written by the owner, read by anyone. */
struct worker_stats {
	atomic_ullong read_ns, work_ns, idle_ns;
	atomic_ullong transform_ns; /* of 'work_ns' */
	atomic_ullong files, in_nbytes;
};

/* What one thread owns, made when the first item needs it. */
struct worker {
	struct huff_pool *tables; /* NULL: tables of its own */
	struct dctload_decoder *decoder;
	struct open_job *spare; /* as many as were ever open together */
	struct worker_stats stats;
};

void worker_release(struct worker *w);

void worker_add_stats(struct worker *w, struct dctload_engine_stats *sum);

/* path -> in -> info; files go to memory of 'pool' that the batch keeps. */
void
worker_read(struct worker *w, struct chunk_pool *pool, const struct job *job);

/*
 * Where decoding and sampling get their items.  next() returns false when there
 * is nothing to do now.  A worker may hold several jobs at a time and finish
 * them in any order, but finishes all of them before worker_drain() returns.
 */
struct job_source {
	bool (*next)(void *ctx, struct job *job_ret);
	void (*done)(void *ctx, const struct job *job);
	void *ctx;
};

/* Decode or sample until the source runs dry. */
void worker_drain(struct worker *w, const struct job_source *source);

/* For counters with one writer: no locked instruction. */
static inline void
stat_add(atomic_ullong *counter, u64 n)
{
	const u64 old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

#endif /* DCTLOAD_WORKER_H */

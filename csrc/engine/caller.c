/* SPDX-License-Identifier: MIT */
/* caller.c - batches worked on by threads that are the caller's */
#include <stdlib.h>

#include "../jpeg/header.h"
#include "worker.h"

struct dctload_worker {
	struct worker worker;
};

struct dctload_worker *
dctload_alloc_worker(void)
{
	return calloc(1, sizeof(struct dctload_worker));
}

void
dctload_free_worker(struct dctload_worker *w)
{
	if (w == NULL)
		return;
	worker_release(&w->worker);
	free(w);
}

static enum dctload_status
begin(struct dctload_batch *b, enum work work, u32 num_items,
      const struct dctload_limits *limits, u32 flags)
{
	if (num_items > b->capacity || atomic_load(&b->engine) != NULL)
		return DCTLOAD_BAD_ARGUMENT;
	b->limits = limits_in_force(limits);
	b->work = work;
	b->num_items = num_items;
	b->flags = flags;
	b->bypass_cache = false;
	batch_order_by_size(b, num_items);
	atomic_store(&b->taken, 0);
	return DCTLOAD_OK;
}

enum dctload_status
dctload_begin_decode(struct dctload_batch *b, uint32_t num_items,
		     const struct dctload_limits *limits, uint32_t flags)
{
	return begin(b, WORK_DECODE, num_items, limits, flags);
}

enum dctload_status
dctload_begin_sample(struct dctload_batch *b, uint32_t num_items,
		     const struct dctload_limits *limits, uint32_t flags,
		     const struct dctload_output *output)
{
	const enum dctload_status status =
		begin(b, WORK_SAMPLE, num_items, limits, flags);

	if (status != DCTLOAD_OK)
		return status;
	batch_set_output(b, num_items, output);
	return DCTLOAD_OK;
}

/*
 * The counter is read before it is raised: a decoder asks once for each of its
 * lanes that runs dry, and the counter must not wrap.
 */
static bool
take_item(void *ctx, struct job *job_ret)
{
	struct dctload_batch *b = ctx;
	u32 i;

	if (atomic_load(&b->taken) >= b->num_items)
		return false;
	i = atomic_fetch_add(&b->taken, 1);
	if (i >= b->num_items)
		return false;
	job_ret->batch = b;
	job_ret->item = &b->items[b->order[i]];
	return true;
}

static void
item_done(void *ctx, const struct job *job)
{
	(void)ctx;
	(void)job;
}

void
dctload_work(struct dctload_batch *b, struct dctload_worker *w)
{
	const struct job_source source = { take_item, item_done, b };

	worker_drain(&w->worker, &source);
}

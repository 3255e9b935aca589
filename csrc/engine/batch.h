/* SPDX-License-Identifier: MIT */
/* batch.h - items that are worked on and waited for together */
#ifndef DCTLOAD_BATCH_H
#define DCTLOAD_BATCH_H

#include <stdatomic.h>
#include <sys/types.h>

#include "arena.h"

enum work { WORK_READ, WORK_DECODE, WORK_SAMPLE, WORK_EXCERPT, WORK_LOAD };

struct dctload_batch {
	struct dctload_item *items;
	u32 capacity;
	struct arena files; /* what was read from paths */

	/* The work at hand, set by a submission. */
	enum work work;
	u32 num_items;
	u32 *order; /* items in the order in which workers take them */
	struct dctload_limits limits;
	u32 flags;
	struct dctload_output output; /* of WORK_SAMPLE, WORK_LOAD */
	struct dctload_recipe recipe; /* of WORK_LOAD, as are the next two */
	u64 seed, epoch;
	const u64 *ids;    /* the caller's */
	bool bypass_cache; /* the results leave the caches anyway */
	bool forget_files; /* nobody wants them after this work */

	/*
	 * Whose work this is, from the submission until the last item is done;
	 * NULL otherwise.  Set to NULL under the engine's lock as the last
	 * thing that the engine does with the batch.
	 */
	_Atomic(struct dctload_engine *) engine;
	pid_t pid;           /* of the submission */
	atomic_uint pending; /* items not done */
	atomic_uint taken;   /* the next item, with the caller's threads */

	/* Under the engine's lock. */
	u32 next; /* in 'order': the first item no worker has taken */
	struct dctload_batch *queue_next;
};

/* Bytes of the coefficients of all items that are well. */
size_t batch_coefs_nbytes(const struct dctload_batch *b, u32 num_items);

/* The samples of a batch at work are 'output'. */
void batch_set_output(struct dctload_batch *b, u32 num_items,
		      const struct dctload_output *output);

/*
 * Results beyond this much are out of the cache by the time the batch is done.
 * Storing them past it saves reading each line before it is overwritten.
 */
static inline bool
batch_leaves_cache(size_t nbytes)
{
	return nbytes > (size_t)8 << 20;
}

void batch_order_as_given(struct dctload_batch *b, u32 num_items);

/*
 * The largest files first: when there is nothing left to take, threads and the lanes
 * of each wait for what the others are at, which had better be small.
 */
void batch_order_by_size(struct dctload_batch *b, u32 num_items);

/* Items that are skipped may be read by the caller yet. */
bool batch_skips_none(const struct dctload_batch *b, u32 num_items);

/* Give back what was read from paths. */
void batch_forget_files(struct dctload_batch *b, struct chunk_pool *pool);

#endif /* DCTLOAD_BATCH_H */

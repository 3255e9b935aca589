/* SPDX-License-Identifier: MIT */
/* batch.c - items that are worked on and waited for together */
#include <stdlib.h>

#include "../jpeg/header.h"
#include "batch.h"
#include "threads.h"

struct dctload_batch *
dctload_alloc_batch(uint32_t num_items)
{
	struct dctload_batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->items = calloc(num_items ? num_items : 1, sizeof(*b->items));
	b->order = calloc(num_items ? num_items : 1, sizeof(*b->order));
	if (b->items == NULL || b->order == NULL) {
		free(b->items);
		free(b->order);
		free(b);
		return NULL;
	}
	b->capacity = num_items;
	arena_init(&b->files);
	return b;
}

void
dctload_free_batch(struct dctload_batch *b)
{
	if (b == NULL)
		return;
	engine_forget_batch(b);
	arena_destroy(&b->files);
	free(b->items);
	free(b->order);
	free(b);
}

struct dctload_item *
dctload_batch_items(struct dctload_batch *b)
{
	return b->items;
}

size_t
batch_coefs_nbytes(const struct dctload_batch *b, u32 num_items)
{
	size_t nbytes = 0;

	for (u32 i = 0; i < num_items; i++)
		if (b->items[i].status == DCTLOAD_OK && !b->items[i].skip)
			nbytes += info_coefs_nbytes(&b->items[i].info);
	return nbytes;
}

void
batch_set_output(struct dctload_batch *b, u32 num_items,
		 const struct dctload_output *output)
{
	size_t nbytes[2];

	dctload_output_nbytes(output, nbytes);
	b->output = *output;
	b->bypass_cache =
		batch_leaves_cache(num_items * (nbytes[0] + nbytes[1]));
}

void
batch_order_as_given(struct dctload_batch *b, u32 num_items)
{
	for (u32 i = 0; i < num_items; i++)
		b->order[i] = i;
}

/* Four classes to a power of two; the largest is class 0. */
#define NUM_SIZE_CLASSES (4 * 64)

static u32
size_class(size_t nbytes)
{
	const u32 log = 63 - (u32)__builtin_clzll((u64)nbytes | 4);

	return NUM_SIZE_CLASSES - 1 -
	       (4 * log + ((u32)((u64)nbytes >> (log - 2)) & 3));
}

void
batch_order_by_size(struct dctload_batch *b, u32 num_items)
{
	u32 ends[NUM_SIZE_CLASSES] = { 0 };
	u32 sum = 0;

	for (u32 i = 0; i < num_items; i++)
		ends[size_class(b->items[i].in_nbytes)]++;
	for (u32 k = 0; k < NUM_SIZE_CLASSES; k++)
		ends[k] = sum += ends[k];
	for (u32 i = num_items; i-- != 0;)
		b->order[--ends[size_class(b->items[i].in_nbytes)]] = i;
}

uint32_t
dctload_place_planes(struct dctload_batch *b, uint32_t first,
		     uint32_t num_items, void *memory, size_t capacity,
		     size_t *nbytes_ret)
{
	u8 *p = memory;

	*nbytes_ret = 0;
	for (u32 i = first; i < num_items; i++) {
		struct dctload_item *item = &b->items[i];
		const struct dctload_info *grids = &item->info;
		struct dctload_info window;
		size_t nbytes;

		if (item->status != DCTLOAD_OK || item->skip)
			continue;
		if (item->region.width != 0) {
			item->status = dctload_window(&item->info,
						      &item->region, &window);
			grids = &window;
		}
		if (item->status != DCTLOAD_OK)
			continue;
		nbytes = info_coefs_nbytes(grids);
		if (nbytes > capacity) {
			*nbytes_ret = nbytes;
			return i;
		}
		info_place_planes(grids, p, item->planes);
		p += nbytes;
		capacity -= nbytes;
	}
	return num_items;
}

bool
batch_skips_none(const struct dctload_batch *b, u32 num_items)
{
	for (u32 i = 0; i < num_items; i++)
		if (b->items[i].skip)
			return false;
	return true;
}

void
batch_forget_files(struct dctload_batch *b, struct chunk_pool *pool)
{
	for (u32 i = 0; i < b->num_items; i++)
		if (b->items[i].path != NULL)
			b->items[i].in = NULL;
	arena_reset(&b->files, pool);
}

/* SPDX-License-Identifier: MIT */
/*
 * items.c - a field of every item, set or read in one call
 *
 * The caller's language pays for each call and for each strided array; a batch of
 * 64 small files is decoded in the time of a few hundred such steps.
 */
#include "../jpeg/info.h"
#include "batch.h"

uint32_t
dctload_set_paths(struct dctload_batch *b, uint32_t num_items, const char *text,
		  const int64_t *starts, size_t num_starts,
		  const int64_t *indices)
{
	for (u32 i = 0; i < num_items; i++) {
		struct dctload_item *item = &b->items[i];

		/* As unsigned, what is negative is too large. */
		if ((u64)indices[i] >= num_starts)
			return i;
		item->path = text + starts[indices[i]];
		item->in = NULL;
		item->in_nbytes = 0;
		item->skip = 0;
	}
	return num_items;
}

void
dctload_set_data(struct dctload_batch *b, uint32_t num_items,
		 const uintptr_t *addresses, const size_t *nbytes)
{
	for (u32 i = 0; i < num_items; i++) {
		struct dctload_item *item = &b->items[i];

		item->path = NULL;
		item->in = (const uint8_t *)addresses[i];
		item->in_nbytes = nbytes[i];
		item->skip = 0;
	}
}

void
dctload_set_out(struct dctload_batch *b, uint32_t num_items, uint32_t k,
		void *start, size_t stride)
{
	u8 *p = start;

	for (u32 i = 0; i < num_items; i++, p += stride)
		b->items[i].out[k] = p;
}

static bool
is_ordinary(const struct dctload_item *item)
{
	return item->status == DCTLOAD_OK && !item->skip &&
	       info_is_linear(&item->info);
}

uint32_t
dctload_survey(const struct dctload_batch *b, uint32_t num_items,
	       struct dctload_brief *out)
{
	u32 num_ordinary = 0;

	for (u32 i = 0; i < num_items; i++) {
		const struct dctload_item *item = &b->items[i];

		out[i] = (struct dctload_brief){
			.width = item->info.width,
			.height = item->info.height,
			.orientation = item->info.orientation,
			.in_nbytes = item->in_nbytes,
		};
		num_ordinary += is_ordinary(item);
	}
	return num_ordinary;
}

uint32_t
dctload_count_failed(const struct dctload_batch *b, uint32_t num_items)
{
	u32 n = 0;

	for (u32 i = 0; i < num_items; i++)
		n += b->items[i].status != DCTLOAD_OK || b->items[i].skip;
	return n;
}

static bool
has_planes(const struct dctload_item *item)
{
	return item->status == DCTLOAD_OK && !item->skip &&
	       item->region.width == 0 && item->planes[0] != NULL;
}

uint32_t
dctload_count_alike(const struct dctload_batch *b, uint32_t first,
		    uint32_t num_items)
{
	const struct dctload_item *const one = &b->items[first];
	size_t num_coefs;
	u32 n = 0;

	if (first >= num_items)
		return 0;
	num_coefs = info_coefs_nbytes(&one->info) / sizeof(s16);
	while (n < num_items - first && has_planes(&one[n]) &&
	       one[n].planes[0] == one->planes[0] + n * num_coefs &&
	       info_has_grids_of(&one[n].info, &one->info))
		n++;
	return n;
}

static void
write_axis(const struct dctload_axis_table *axis, size_t num_images, size_t i,
	   struct dctload_step *out)
{
	const size_t field = num_images * axis->capacity;
	const double *p = axis->steps + i * axis->capacity;

	for (s64 k = 0; k < axis->num_steps[i]; k++, p++) {
		out[k] = (struct dctload_step){
			.lo = p[0],
			.hi = p[field],
			.start = p[2 * field],
			.step = p[3 * field],
			.out_size = (u32)p[4 * field],
			.filter = (u32)p[5 * field],
		};
	}
}

void
dctload_write_geometry(const struct dctload_geometry_table *table, size_t first,
		       size_t num, void *out, size_t stride)
{
	const size_t n = table->num_images;
	u8 *p = out;

	for (size_t i = first; i < first + num; i++, p += stride) {
		struct dctload_geometry *g = (void *)p;

		/* Whole: records are used again, and what is not here is 0. */
		*g = (struct dctload_geometry){
			.transpose = table->transpose[i],
			.num_x = (u32)table->x.num_steps[i],
			.num_y = (u32)table->y.num_steps[i],
		};
		write_axis(&table->x, n, i, g->x);
		write_axis(&table->y, n, i, g->y);
		for (u32 c = 0; c < DCTLOAD_MAX_COMPONENTS; c++)
			g->fill[c] =
				(float)table
					->fill[i * DCTLOAD_MAX_COMPONENTS + c];
	}
}

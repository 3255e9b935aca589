/* SPDX-License-Identifier: MIT */
/* excerpt.c - planes in scratch, from which blocks are taken */
#include <stdlib.h>

#include "../jpeg/header.h"
#include "batch.h"
#include "excerpt.h"

/* Scratch beyond this is not kept: a huge image is rarely followed by another. */
#define MAX_KEPT_NBYTES ((size_t)32 << 20)

static bool
excerpts_fit(const struct dctload_item *item)
{
	for (u32 c = 0; c < item->info.num_components; c++) {
		const struct dctload_component *const grid =
			&item->info.components[c];
		const struct dctload_excerpt *const w = &item->excerpts[c];

		if (w->row > w->end_row || w->end_row > grid->blocks_h ||
		    w->col > w->end_col || w->end_col > grid->blocks_w)
			return false;
	}
	return true;
}

static bool
is_empty(const struct dctload_excerpt *e)
{
	return e->row == e->end_row || e->col == e->end_col;
}

/* The rectangle that holds all excerpts; of nothing, the first sample. */
static struct dctload_region
region_of_excerpts(const struct dctload_item *item)
{
	const struct dctload_info *const info = &item->info;
	u32 left = info->width, top = info->height, right = 0, bottom = 0;

	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_excerpt *const e = &item->excerpts[c];
		const u32 w = 8 * info->h_max, h = info->components[c].h;
		const u32 t = 8 * info->v_max, v = info->components[c].v;

		if (is_empty(e))
			continue;
		left = min_u32(left, e->col * w / h);
		top = min_u32(top, e->row * t / v);
		right = max_u32(right, ceil_div_u32(e->end_col * w, h));
		bottom = max_u32(bottom, ceil_div_u32(e->end_row * t, v));
	}
	if (right == 0)
		return (struct dctload_region){ 0, 0, 1, 1 };
	right = min_u32(right, info->width);
	bottom = min_u32(bottom, info->height);
	/* A component of odd width has blocks that begin past the image. */
	left = min_u32(left, right - 1);
	top = min_u32(top, bottom - 1);
	return (struct dctload_region){ left, top, right - left, bottom - top };
}

enum dctload_status
excerpt_begin(struct excerpt_scratch *scratch, const struct dctload_item *item)
{
	struct dctload_region region;
	struct dctload_info window;
	enum dctload_status status;
	size_t nbytes;

	if (!excerpts_fit(item))
		return DCTLOAD_BAD_ARGUMENT;
	region = region_of_excerpts(item);
	status = dctload_window(&item->info, &region, &window);
	if (status != DCTLOAD_OK)
		return status;
	nbytes = info_coefs_nbytes(&window);
	if (nbytes > scratch->capacity) {
		excerpt_free(scratch);
		if (posix_memalign(&scratch->memory, 64, nbytes) != 0) {
			scratch->memory = NULL;
			return DCTLOAD_NO_MEMORY;
		}
		scratch->capacity = nbytes;
	}
	scratch->region = region;
	info_place_planes(&window, scratch->memory, scratch->planes);
	return DCTLOAD_OK;
}

/* One component's, out of a plane whose first block is at (row, col). */
static void
copy_excerpt(const struct dctload_excerpt *e, const s16 *plane, size_t stride,
	     u32 row, u32 col)
{
	const size_t num = e->end_col - e->col;
	s16 *out = e->out;

	for (u32 r = e->row; r < e->end_row; r++) {
		memcpy(out,
		       plane + ((r - row) * stride + e->col - col) *
				       BLOCK_COEFS,
		       num * BLOCK_NBYTES);
		out += num * BLOCK_COEFS;
	}
}

void
excerpt_finish(struct excerpt_scratch *scratch, const struct dctload_item *item)
{
	const struct dctload_info *const window = &item->info;

	for (u32 c = 0; c < window->num_components; c++) {
		const struct dctload_component *const comp =
			&window->components[c];

		if (is_empty(&item->excerpts[c]))
			continue;
		/* A window begins at a whole MCU of h by v blocks. */
		copy_excerpt(&item->excerpts[c], scratch->planes[c],
			     comp->blocks_w,
			     window->top / (8 * window->v_max) * comp->v,
			     window->left / (8 * window->h_max) * comp->h);
	}
	if (scratch->capacity > MAX_KEPT_NBYTES)
		excerpt_free(scratch);
}

void
excerpt_free(struct excerpt_scratch *scratch)
{
	free(scratch->memory);
	memset(scratch, 0, sizeof(*scratch));
}

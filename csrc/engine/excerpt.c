/* SPDX-License-Identifier: MIT */
/* excerpt.c - whole planes in scratch, from which blocks are taken */
#include <stdlib.h>

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

enum dctload_status
excerpt_begin(struct excerpt_scratch *scratch, const struct dctload_item *item)
{
	const size_t nbytes = info_coefs_nbytes(&item->info);

	if (!excerpts_fit(item))
		return DCTLOAD_BAD_ARGUMENT;
	if (nbytes > scratch->capacity) {
		excerpt_free(scratch);
		if (posix_memalign(&scratch->memory, 64, nbytes) != 0) {
			scratch->memory = NULL;
			return DCTLOAD_NO_MEMORY;
		}
		scratch->capacity = nbytes;
	}
	info_place_planes(&item->info, scratch->memory, scratch->planes);
	return DCTLOAD_OK;
}

void
excerpt_finish(struct excerpt_scratch *scratch, const struct dctload_item *item)
{
	for (u32 c = 0; c < item->info.num_components; c++) {
		const struct dctload_excerpt *const w = &item->excerpts[c];
		const size_t stride = (size_t)item->info.components[c].blocks_w;
		const size_t num = w->end_col - w->col;
		s16 *out = w->out;

		for (u32 row = w->row; row < w->end_row; row++) {
			memcpy(out,
			       scratch->planes[c] +
				       (row * stride + w->col) * BLOCK_COEFS,
			       num * BLOCK_NBYTES);
			out += num * BLOCK_COEFS;
		}
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

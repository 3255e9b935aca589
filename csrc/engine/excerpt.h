/* SPDX-License-Identifier: MIT */
/* excerpt.h - planes in scratch, from which blocks are taken */
#ifndef DCTLOAD_EXCERPT_H
#define DCTLOAD_EXCERPT_H

#include "../common.h"

/* Planes of a region of one image; the memory is kept for the next one. */
struct excerpt_scratch {
	void *memory;
	size_t capacity;
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
	struct dctload_region region;
};

/* Room for the planes that hold the excerpts of 'item', if these are in it. */
enum dctload_status
excerpt_begin(struct excerpt_scratch *scratch, const struct dctload_item *item);

/* Copy the excerpts out of the planes; item->info is that of their window. */
void excerpt_finish(struct excerpt_scratch *scratch,
		    const struct dctload_item *item);

void excerpt_free(struct excerpt_scratch *scratch);

#endif /* DCTLOAD_EXCERPT_H */

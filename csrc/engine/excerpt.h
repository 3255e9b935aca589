/* SPDX-License-Identifier: MIT */
/* excerpt.h - whole planes in scratch, from which blocks are taken */
#ifndef DCTLOAD_EXCERPT_H
#define DCTLOAD_EXCERPT_H

#include "../common.h"

/* Planes of one image; the memory is kept for the next one. */
struct excerpt_scratch {
	void *memory;
	size_t capacity;
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
};

/* Room for the planes of 'item', if its excerpts lie in its grids. */
enum dctload_status
excerpt_begin(struct excerpt_scratch *scratch, const struct dctload_item *item);

/* Copy the excerpts of 'item' out of the planes, which are decoded now. */
void excerpt_finish(struct excerpt_scratch *scratch,
		    const struct dctload_item *item);

void excerpt_free(struct excerpt_scratch *scratch);

#endif /* DCTLOAD_EXCERPT_H */

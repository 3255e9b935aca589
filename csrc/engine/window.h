/* SPDX-License-Identifier: MIT */
/* window.h - whole planes in scratch, from which a window of blocks is taken */
#ifndef DCTLOAD_WINDOW_H
#define DCTLOAD_WINDOW_H

#include "../common.h"

/* Planes of one image; the memory is kept for the next one. */
struct window_scratch {
	void *memory;
	size_t capacity;
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
};

/* Room for the planes of 'item', if its windows lie in its grids. */
enum dctload_status
window_begin(struct window_scratch *scratch, const struct dctload_item *item);

/* Copy the windows of 'item' out of the planes, which are decoded now. */
void window_finish(const struct window_scratch *scratch,
		   const struct dctload_item *item);

void window_free(struct window_scratch *scratch);

#endif /* DCTLOAD_WINDOW_H */

/* SPDX-License-Identifier: MIT */
/* output.h - where an image's blocks go */
#ifndef DCTLOAD_OUTPUT_H
#define DCTLOAD_OUTPUT_H

#include "image.h"

/* Set up the image's grids; the header stands at the first scan. */
enum dctload_status output_begin(struct image *im);

/* The scan that is about to begin refines AC coefficients: let it have its words. */
bool output_add_level(struct image *im);

/* The row of MCUs at 'mcu_y' is whole: pass it on if somebody waits for it. */
enum dctload_status output_row(struct image *im);

/* All blocks are there; a plan may still have to see them. */
enum dctload_status output_finish(struct image *im);

/* The file is done, for better or worse: give its memory back. */
void output_clear(struct image *im);

#endif /* DCTLOAD_OUTPUT_H */

/* SPDX-License-Identifier: MIT */
/*
 * pixels.h - operations on one image in turn, on samples, RGB or amplitudes
 *
 * The kinds of operations and what they mean are in dctload.h.  An image goes
 * from one form to another only where the next operation asks for it.
 */
#ifndef DCTLOAD_PIXELS_H
#define DCTLOAD_PIXELS_H

#include "../common.h"

/*
 * One component: rows of floats, the grid of its blocks laid out as an image.
 * Samples past width and height repeat the last ones.
 */
struct pixel_plane {
	float *data;
	size_t capacity;
	u32 width, height; /* samples */
	size_t stride;     /* floats, a multiple of 8 */
};

enum pixel_form { PIXELS_AMPLITUDES, PIXELS_SAMPLES, PIXELS_RGB };

struct pixels {
	u32 num_planes;       /* 1: grey, 3: Y, Cb, Cr */
	u32 width, height;    /* of luma, in samples */
	u32 shift;            /* chroma has 1 / 2^shift of luma's resolution */
	enum pixel_form form; /* of 'planes', or 'rgb' */
	struct pixel_plane planes[3];
	struct pixel_plane rgb[3]; /* all of luma's size */
	struct pixel_plane spare[3];
	float *rows; /* scratch: a few rows */
	size_t rows_capacity;
	u8 *levels; /* scratch: one plane */
	size_t levels_capacity;
};

/*
 * An image of 'width' x 'height' luma samples, as amplitudes, which the caller
 * writes to 'planes'.  False if there is no memory.
 */
bool pixels_begin(struct pixels *px, u32 num_planes, u32 width, u32 height,
		  u32 shift);

/* Apply the operations, which ops_check() has passed; amplitudes remain. */
enum dctload_status
pixels_run(struct pixels *px, const struct dctload_op *ops, u32 num_ops);

void pixels_free(struct pixels *px);

/*
 * BAD_ARGUMENT unless every operation is known and its parameters make sense.
 * '*width' and '*height' become those after the operations.
 */
enum dctload_status
ops_check(const struct dctload_op *ops, u32 num_ops, u32 *width, u32 *height);

/* ---- for the files pixels*.c only ---- */

/* Room for 'width' x 'height' samples in whole blocks. */
bool plane_resize(struct pixel_plane *plane, u32 width, u32 height);

/* The operations on amplitudes. */
void pixels_do_amplitudes(struct pixels *px, const struct dctload_op *op);

/* Those on RGB. */
enum dctload_status
pixels_do_rgb(struct pixels *px, const struct dctload_op *op);

#endif /* DCTLOAD_PIXELS_H */

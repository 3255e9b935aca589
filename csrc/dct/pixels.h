/* SPDX-License-Identifier: MIT */
/*
 * pixels.h - operations on one image in turn, on samples, RGB or amplitudes
 *
 * The kinds of operations and what they mean are in dctload.h.  An image goes
 * from one form to another only where the next operation asks for it.  RGB is
 * never kept.
 */
#ifndef DCTLOAD_PIXELS_H
#define DCTLOAD_PIXELS_H

#include "../common.h"

/*
 * One component: rows of floats, the grid of its blocks laid out as an image.
 * Samples past width and height, up to whole blocks, repeat the last ones
 * wherever that matters.
 */
struct pixel_plane {
	float *data; /* room for rows of whole tiles, see kernels.h */
	size_t capacity;
	u32 width, height; /* samples */
	size_t stride;     /* floats, a multiple of PLANE_UNIT of luma's */
};

struct pixels {
	u32 num_planes;    /* 1: grey, 3: Y, Cb, Cr */
	u32 width, height; /* of luma, in samples */
	u32 shift;         /* chroma has 1 / 2^shift of luma's resolution */
	bool is_samples;   /* the planes hold samples; else amplitudes */

	/*
	 * Not 0: the planes are not rows but whole tiles as kernels.h has them, one
	 * after the other, those of luma with so many floats.
	 */
	size_t tile_size;
	struct pixel_plane planes[3];
	struct pixel_plane spare[3]; /* scratch: what a map makes */
	float *rows;                 /* scratch: a few rows of RGB or noise */
	size_t rows_capacity;
	u8 *levels; /* scratch: likewise, as whole numbers */
	size_t levels_capacity;
};

/*
 * An image of 'width' x 'height' luma samples, which the caller writes to
 * 'planes', and its form to 'is_samples'.  False if there is no memory.
 */
bool pixels_begin(struct pixels *px, u32 num_planes, u32 width, u32 height,
		  u32 shift);

/* Apply the operations, which ops_check() has passed. */
enum dctload_status
pixels_run(struct pixels *px, const struct dctload_op *ops, u32 num_ops);

/* From one form to the other. */
void plane_to_samples(struct pixel_plane *plane);
void plane_to_amplitudes(struct pixel_plane *plane);

void pixels_free(struct pixels *px);

/*
 * BAD_ARGUMENT unless every operation is known and its parameters make sense.
 * '*width' and '*height' become those after the operations.
 */
enum dctload_status
ops_check(const struct dctload_op *ops, u32 num_ops, u32 *width, u32 *height);

/*
 * Whether all operations can be done on tiles of an image of this size, whose lanes
 * are columns with 'transpose'.
 */
bool ops_fit_tiles(const struct dctload_op *ops, u32 num_ops, u32 width,
		   u32 height, bool transpose);

/* Whether the first operation wants samples, or RGB, which is made of them. */
bool ops_begin_with_samples(const struct dctload_op *ops, u32 num_ops);

/* ---- for the files pixels*.c only ---- */

static inline u32
round_up(u32 n, u32 unit)
{
	return ceil_div_u32(n, unit) * unit;
}

static inline u32
round_up_8(u32 n)
{
	return round_up(n, 8);
}

/* Samples of plane 'c' along an axis of 'size' luma samples. */
static inline u32
plane_size(const struct pixels *px, u32 c, u32 size)
{
	return c == 0 ? size : ceil_div_u32(size, 1u << px->shift);
}

/* Give 'planes' room for an image of 'width' x 'height' luma samples. */
bool planes_resize(const struct pixels *px, struct pixel_plane planes[3],
		   u32 width, u32 height);

/* Let the margin up to whole blocks and rows repeat the last samples. */
void plane_repeat_edges(struct pixel_plane *plane);

void pixels_do_amplitudes(struct pixels *px, const struct dctload_op *op);

enum dctload_status
pixels_do_samples(struct pixels *px, const struct dctload_op *op);

/*
 * The key of channel 'c' for struct noise: the finaliser of SplitMix64 (Steele, Lea,
 * Flood; OOPSLA 2014) of both.
 */
static inline u64
noise_key(u32 seed, u32 c)
{
	u64 z = (u64)seed << 2 | c;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

/* 'p' as DCTLOAD_OP_WARP has it; in tiles, where it fits. */
bool warp_fits_tiles(const double *p, u32 width, u32 height);
enum dctload_status pixels_warp(struct pixels *px, const double *p);

enum dctload_status
pixels_do_rgb(struct pixels *px, const struct dctload_op *op);

#endif /* DCTLOAD_PIXELS_H */

/* SPDX-License-Identifier: MIT */
/*
 * pixel_kernels.h - the inner loops of operations on samples, per CPU
 *
 * The code is pixel_template.h and what that includes; each variant is the same
 * text for vectors of another size.
 */
#ifndef DCTLOAD_PIXEL_KERNELS_H
#define DCTLOAD_PIXEL_KERNELS_H

#include "../common.h"

/*
 * Rows of planes are this many floats apart, or half of it where chroma is halved,
 * or a multiple: loops run over whole vectors, two at a time.
 */
#define PLANE_UNIT 32

/* So many of a plane in tiles are shifted at a time; widths are multiples of it. */
#define SHIFTED_COLUMNS 4

/*
 * Positions that a row of a warp looks at, in samples of the input and in units of
 * 2^-32: (x + i dx, y + i dy).
 */
struct fixed_row {
	s64 x, dx, y, dy;
};

/* Planes of one size and stride, of which they have less than 2^31 samples. */
struct warp_input {
	const float *data[2];
	u32 num, stride;
};

/*
 * The same of planes in tiles, of LANES rows each, and where the rows of one tile
 * look: row r at (x[r] + i dx, y[r] + i dy).  What is not in the plane is 'outside'.
 */
struct tiled_input {
	const float *data[2];
	float outside[2];
	u32 num, width, height;
};

struct tile_places {
	s64 x[16], y[16], dx, dy;
};

/*
 * Samples of Y and the chroma that belongs to them, as strips of vectors.  Where
 * chroma is not halved, a vector of it belongs to one of Y, in the same place.
 * Where it is, each half of vector k of a strip belongs to two of Y: at
 *
 *	luma + 2 k vectors + half * other_half + {0, beside}
 *
 * In rows, 'other_half' is a vector and 'beside' a row; in tiles, whose vectors go
 * down, it is the other way round.  A grey image has Y alone, and is not halved.
 */
struct ycc_area {
	float *luma, *chroma[2];
	bool grey, halved;
	size_t other_half, beside;     /* floats, as all that follow */
	size_t num_chroma, num_strips; /* of a strip of chroma, or of grey */
	size_t luma_step, chroma_step; /* from strip to strip */
};

/* What is done to RGB, or to grey as channel 0; results are clamped. */
enum rgb_change_kind {
	RGB_SCALE,      /* x = factor x + offset, from lo to hi */
	RGB_BLEND_GREY, /* x = f x + (1 - f) grey */
	RGB_POSTERIZE,  /* the rounded x, down to a multiple of f = 2^n */
	RGB_SOLARIZE,   /* x = 255 - x where x is at least f */
	RGB_LEVELS_ARE, /* x = levels, where there are any */
	RGB_TAKE,       /* x = rows */
	RGB_ADD,        /* x = x + rows, not clamped */
	RGB_ADD_CLAMPED
};

struct rgb_change {
	enum rgb_change_kind kind;
	float f;
	float factor[3], offset[3], lo[3], hi[3];
	const u8 *levels[3];  /* as the samples of Y lie in the area */
	const float *rows[3]; /* likewise; in one strip */
};

/* What is read off RGB. */
enum rgb_look_kind {
	RGB_SUM_GREY, /* sum += grey */
	RGB_LIMITS,   /* lo and hi, lowered and raised; not clamped before */
	RGB_LEVELS,   /* levels = the rounded x */
	RGB_COPY      /* copies = x */
};

struct rgb_look {
	enum rgb_look_kind kind;
	/* Of the area in rows, what is summed; zeros: all. */
	u32 width, height;
	double sum;
	float lo[3], hi[3];
	u8 *levels[3];    /* as the samples of Y lie in the area */
	float *copies[3]; /* likewise; in one strip */
};

/* Normal numbers, see noise_template.h. */
struct noise {
	u64 key;
	float mean, sigma;
};

/* Rows are multiples of 8 floats; 'num' counts floats unless said otherwise. */
struct pixel_kernels {
	u32 lanes; /* floats of a vector */

	/* Amplitudes of a row of blocks to samples and back, in place. */
	void (*inverse)(float *rows, size_t stride, u32 num_blocks);
	void (*forward)(float *rows, size_t stride, u32 num_blocks);

	/*
	 * A row of amplitudes, rounded to multiples of the steps of its frequencies,
	 * which are given twice: steps[16].
	 */
	void (*requantize)(float *row, const float *steps, size_t num);

	/* By way of RGB, clamped to 0..255. */
	void (*rgb_change)(const struct ycc_area *area,
			   const struct rgb_change *change);
	void (*rgb_look)(const struct ycc_area *area, struct rgb_look *look);

	/* Each level to what the table has for it. */
	void (*map_levels)(u8 *levels, const u8 table[256], size_t num);

	/* The samples of 'row' between the first and the last, which stay. */
	void (*sharpen)(float *out, const float *above, const float *row,
			const float *below, float f, size_t num);

	/*
	 * An area in tiles, all but its edges.  Scratch is a row of each of three
	 * channels.
	 */
	void (*sharpen_tiles)(const struct ycc_area *area, float *scratch,
			      float f);

	/* Numbers 2 'first_pair' and following, in whole PLANE_UNITs. */
	void (*normals)(float *out, const struct noise *noise, u64 first_pair,
			size_t num);

	/*
	 * The sample that covers each position, or what is interpolated between
	 * the one before it and its neighbours: all are there.
	 */
	void (*warp_nearest)(float *const out[2], const struct warp_input *in,
			     const struct fixed_row *at, u32 num);
	void (*warp_bilinear)(float *const out[2], const struct warp_input *in,
			      const struct fixed_row *at, u32 num);

	/* The sample that covers each position of a tile, as wide as the input. */
	void (*warp_tile)(float *const out[2], const struct tiled_input *in,
			  const struct tile_places *at);

	/*
	 * In place: row r of a tile looks by[r] samples to the right, or all to
	 * the left; column i of a plane in tiles looks down, where y + i dy is of
	 * its first sample.  Scratch is SHIFTED_COLUMNS times three columns.
	 */
	void (*shift_rows)(float *tile, u32 width, const s32 by[16],
			   float outside);
	void (*shift_columns)(float *plane, float *scratch, u32 width,
			      u32 height, s64 y, s64 dy, float outside);
};

const struct pixel_kernels *pixel_kernels(void);

/* NULL where the compiler does not make code for such a CPU. */
extern const struct pixel_kernels *const pixel_kernels_avx2,
	*const pixel_kernels_avx512;

/* The orthonormal 8x8 DCT-II: [frequency][sample]. */
extern const float dct_basis_f32[8][8];

#endif /* DCTLOAD_PIXEL_KERNELS_H */

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

/* Where a row of a bilinear warp looks, in samples of the input. */
struct warp_row {
	float x, dx; /* sample index at output sample 0, and its increments */
	float y, dy;
	float width, height; /* of the input */
	size_t stride;
	float fill, black; /* levels minus 128 */
	bool blend;
};

/*
 * Samples that one row of Cb and Cr belongs to: a row of Y, or where chroma is
 * halved, two.  A grey image has Y alone.
 */
struct ycc_rows {
	float *luma[2], *chroma[2];
	u32 num_planes;
	bool halved;
};

/* What is done to RGB, or to grey as channel 0; results are clamped. */
enum rgb_change_kind {
	RGB_SCALE,      /* x = factor x + offset, from lo to hi */
	RGB_BLEND_GREY, /* x = f x + (1 - f) grey */
	RGB_POSTERIZE,  /* the rounded x, down to a multiple of f = 2^n */
	RGB_SOLARIZE,   /* x = 255 - x where x is at least f */
	RGB_LOOK_UP,    /* x = table[rounded x], where there is a table */
	RGB_TAKE,       /* x = rows */
	RGB_ADD,        /* x = x + rows, not clamped */
	RGB_ADD_CLAMPED
};

struct rgb_change {
	enum rgb_change_kind kind;
	float f;
	float factor[3], offset[3], lo[3], hi[3];
	const float *table[3];   /* [256] */
	const float *rows[2][3]; /* of each row of Y */
};

/* What is read off RGB. */
enum rgb_look_kind {
	RGB_SUM_GREY, /* sum += grey of num_rows rows of 'width' */
	RGB_LIMITS,   /* lo and hi, lowered and raised; not clamped before */
	RGB_LEVELS,   /* levels = the rounded x */
	RGB_COPY      /* copies = x */
};

struct rgb_look {
	enum rgb_look_kind kind;
	u32 num_rows, width;
	double sum;
	float lo[3], hi[3];
	u8 *levels[2][3];
	float *copies[2][3];
};

/* Normal numbers, see noise_template.h. */
struct noise {
	u64 key;
	float mean, sigma;
};

/* Rows are multiples of 8 floats; 'num' counts floats unless said otherwise. */
struct pixel_kernels {
	/* Amplitudes of a row of blocks to samples and back, in place. */
	void (*inverse)(float *rows, size_t stride, u32 num_blocks);
	void (*forward)(float *rows, size_t stride, u32 num_blocks);

	/*
	 * By way of RGB, clamped to 0..255; 'num' samples of Y are up to
	 * PLANE_UNIT - 1 more than there are.
	 */
	void (*rgb_change)(const struct ycc_rows *rows,
			   const struct rgb_change *change, size_t num);
	void (*rgb_look)(const struct ycc_rows *rows, struct rgb_look *look,
			 size_t num);

	/* The samples of 'row' between the first and the last, which stay. */
	void (*sharpen)(float *out, const float *above, const float *row,
			const float *below, float f, size_t num);

	/* Numbers 2 'first_pair' and following, in whole PLANE_UNITs. */
	void (*normals)(float *out, const struct noise *noise, u64 first_pair,
			size_t num);

	void (*warp_bilinear)(float *out, const float *in,
			      const struct warp_row *w, u32 num);
};

const struct pixel_kernels *pixel_kernels(void);

/* NULL where the compiler does not make code for such a CPU. */
extern const struct pixel_kernels *const pixel_kernels_avx2,
	*const pixel_kernels_avx512;

/* The orthonormal 8x8 DCT-II: [frequency][sample]. */
extern const float dct_basis_f32[8][8];

#endif /* DCTLOAD_PIXEL_KERNELS_H */

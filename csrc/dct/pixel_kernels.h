/* SPDX-License-Identifier: MIT */
/*
 * pixel_kernels.h - the inner loops of operations on samples, per CPU
 *
 * The code is pixel_template.h, plain C that a compiler turns into vectors;
 * each variant is the same text with other instructions allowed.
 */
#ifndef DCTLOAD_PIXEL_KERNELS_H
#define DCTLOAD_PIXEL_KERNELS_H

#include "../common.h"

/* Where a row of a bilinear warp looks, in samples of the input. */
struct warp_row {
	float x, dx; /* sample index at output sample 0, and its increments */
	float y, dy;
	float width, height; /* of the input */
	size_t stride;
	float fill, black; /* levels minus 128 */
	bool blend;
};

/* Rows are multiples of 8 floats; 'num' counts floats unless said otherwise. */
struct pixel_kernels {
	/* Amplitudes of a row of blocks to samples and back, in place. */
	void (*inverse)(float *rows, size_t stride, u32 num_blocks);
	void (*forward)(float *rows, size_t stride, u32 num_blocks);

	/* YCbCr minus 128 to RGB 0..255 and back. */
	void (*to_rgb)(float *const rgb[3], const float *y, const float *cb,
		       const float *cr, size_t num);
	void (*from_rgb)(float *y, float *cb, float *cr, const float *r,
			 const float *g, const float *b, size_t num);

	/* Each of 'num' floats twice, and means of 2 x 2 as 'num' floats. */
	void (*spread)(float *out, const float *in, size_t num);
	void (*halve)(float *out, const float *a, const float *b, size_t num);

	/* x = clamp(f x + offset). */
	void (*scale)(float *x, float f, float offset, size_t num);
	/* Each of RGB blended with their grey: clamp(f x + (1 - f) grey). */
	void (*blend_grey)(float *const rgb[3], float f, size_t num);
	double (*sum_grey)(const float *r, const float *g, const float *b,
			   size_t num);
	void (*sharpen)(float *out, const float *above, const float *row,
			const float *below, float f, size_t num);
	void (*posterize)(float *x, float step, size_t num);
	void (*solarize)(float *x, float threshold, size_t num);
	void (*min_max)(const float *x, float *min, float *max, size_t num);
	void (*levels)(u8 *out, const float *x, size_t num);

	void (*warp_bilinear)(float *out, const float *in,
			      const struct warp_row *w, u32 num);
};

const struct pixel_kernels *pixel_kernels(void);

/* NULL where the compiler does not make code for such a CPU. */
extern const struct pixel_kernels *const pixel_kernels_avx2;

/* The orthonormal 8x8 DCT-II: [frequency][sample]. */
extern const float dct_basis_f32[8][8];

#endif /* DCTLOAD_PIXEL_KERNELS_H */

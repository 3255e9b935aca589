/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - the inner loops, portable and per CPU
 *
 * All are compiled from kernels_template.h and compute the same sums; the order
 * of additions, and whether they are fused with multiplications, is a variant's
 * own.
 */
#ifndef DCTLOAD_KERNELS_H
#define DCTLOAD_KERNELS_H

#include "emit.h"
#include "resample.h"
#include "taps.h"

/* The rows of a tile are a multiple of a block's 8, and at most these. */
#define MAX_LANES 16

/*
 * Blocks are emitted so many at a time as a vector has lanes, so what lies behind
 * tiles is read and not used.  It must be no denormal numbers, which cost a hundred
 * cycles each: memory for tiles begins as zeros.
 */
#define EMIT_SLACK (8 * MAX_LANES * MAX_LANES)

/* Make room for 'n' floats of tiles; the old content is lost. */
bool grow_tiles(float **tiles, size_t *capacity, size_t n);

/* A row of blocks with what makes amplitudes of its coefficients. */
struct blocks_row {
	const s16 *blocks;
	const s16 *next; /* the row to come, if it is in memory, else NULL */
	const float *dequant; /* [BLOCK_COEFS] */
};

/*
 * The sum of rows of blocks, multiplied by one column of the operator across them:
 * row k of the result goes to 'out[k]', which has 8 floats for each block, and room
 * for a whole number of vectors.
 */
struct across_job {
	u32 num_parts;
	const struct blocks_row *parts;
	u32 num_blocks;
	u32 num_begun, num; /* the first are added to, the rest are set */
	float *const *out;
	const float (*coefs)[8];
};

struct dct_kernels {
	/* Floats of a vector, and rows of a tile. */
	u32 lanes;

	/*
	 * The rows of a step with the bilinear filter, of at most 'room'
	 * weights; there is room for these by eights, and 'at' is set.
	 */
	void (*triangle_rows)(struct taps *t, const struct comp_step *cs,
			      u32 room);

	/*
	 * Fill in 'rows' and 'coefs' of an operator that does not copy.  The
	 * next new row of column j goes to next[2 j], others to next[2 j + 1];
	 * what goes to the column behind the last is not used.
	 */
	void (*fill_rows)(struct axis_op *op, const struct taps *t,
			  size_t *next);

	void (*across)(const struct across_job *job);

	/*
	 * The operator along the rows of a tile, given block by block from
	 * op->first_in on as 'lanes' rows of floats 'stride' apart.
	 * samples[r * lanes + t] is output row r of tile row t: it is added to
	 * or, without 'add', set.
	 */
	void (*along)(float *samples, const float *tile, size_t stride,
		      const struct axis_op *op, bool add);

	/*
	 * Emit rows p.. of output blocks, 'num_rows' of them, from what along()
	 * made; that is overwritten.  EMIT_SLACK floats behind it are read, but
	 * not used.
	 */
	void (*emit)(const struct emission *e, u32 p, u32 num_rows,
		     float *samples);

	/*
	 * Between a tile as along() makes it and 'lanes' rows of floats, 'stride'
	 * apart, of 'num' blocks.
	 */
	void (*tile)(float *samples, const float *rows, size_t stride, u32 num);
	void (*untile)(float *rows, size_t stride, const float *samples,
		       u32 num);
};

/* The best for this CPU. */
const struct dct_kernels *dct_kernels(void);

/* NULL where the compiler does not make code for such a CPU. */
extern const struct dct_kernels *const dct_kernels_avx2,
	*const dct_kernels_avx512, *const dct_kernels_neon;

/* D[u][k] = c(u) cos(pi (2 k + 1) u / 16), c(0) = sqrt(1/8), else 1/2. */
#define DCT_C1 0.49039264020161522f
#define DCT_C2 0.46193976625564337f
#define DCT_C3 0.41573480615127262f
#define DCT_C4 0.35355339059327376f
#define DCT_C5 0.27778511650980111f
#define DCT_C6 0.19134171618254489f
#define DCT_C7 0.09754516100806413f

/* D^T as floats, [sample][frequency]. */
extern const float dct_matrix_t_f32[8][8];

/* The same for two blocks side by side, [sample][block and frequency]. */
extern const float dct_matrix_twice[16][16];

/* What the DCT of emission leaves out, for each frequency. */
extern const float dct_gains[8];

#endif /* DCTLOAD_KERNELS_H */

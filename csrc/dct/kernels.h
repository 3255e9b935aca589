/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - the inner loops, portable and per CPU
 *
 * All variants compute the same sums; the order of additions, and whether they
 * are fused with multiplications, is a variant's own.
 */
#ifndef DCTLOAD_KERNELS_H
#define DCTLOAD_KERNELS_H

#include "emit.h"
#include "resample.h"

/* Floats in the unit that columns are rounded up to. */
#define VEC_FLOATS 8

/* Four rows of input of across(): z[k * stride] with factors m[k][f]. */
struct across_group {
	const float *z;
	const float (*m)[8];
};

/* The same for rows t and t + 1 of a factored operator. */
struct across_pair {
	const float *z;
	const float *m[2];
};

struct dct_kernels {
	bool can_factor; /* the functions of factored operators are there */

	/*
	 * x[j][v][u] = blocks[j][v][u] * dequant[v][u] for j in [first, end),
	 * or '+=' with 'add'.  extents[2 j + (v >= 4)] becomes the number of
	 * leading frequencies u beyond which these 4 rows are zero.
	 */
	void (*dequantize)(float *x, u8 *extents, const s16 *blocks,
			   const float dequant[BLOCK_COEFS], u32 first, u32 end,
			   bool add);

	/*
	 * z[v][q] = sum_j x[j][v] M[q,j]^T for a row of blocks, where row v
	 * begins at z + v * stride.  Sets '*nonzero_ret' bit 0 if any of rows
	 * 0..3 may differ from zero, bit 1 for rows 4..7.
	 */
	void (*along)(float *z, size_t stride, const float *x,
		      const u8 *extents, const struct axis_op *op,
		      u32 *nonzero_ret);

	/*
	 * out[f * stride + n] = sum over the groups of m[k][f] z[k * stride + n]
	 * for 8 rows f (those from 'num_rows' on may be left out) and
	 * 'num_cols' columns, a multiple of VEC_FLOATS.
	 */
	void (*across)(float *out, size_t stride, u32 num_rows, u32 num_cols,
		       const struct across_group *groups, u32 num_groups);

	/*
	 * M = D R D^T as [in frequency][out frequency], with R[out][in] and
	 * the wanted rows of D as dt[sample][out frequency].
	 */
	void (*matrix)(float m[8][8], const float r[8][8],
		       const float dt[8][8]);

	/*
	 * Some columns of a row of R D^T: out[n] = sum of w[k] D^T[s % 8] over
	 * the samples s = first + k of the n-th block that they meet.
	 */
	void (*half)(float (*out)[8], const double *w, u32 first, u32 num);

	/* Rows 2 k and 2 k + 1 of 'out' from num[k] pairs, k = 0..3. */
	void (*across_factored)(float *out, size_t stride, u32 num_cols,
				const struct across_pair *const pairs[4],
				const u32 num[4]);

	/* D times the 8 rows, in place. */
	void (*dct_rows)(float *rows, size_t stride, u32 num_cols);

	/* D times each 8 neighbours of the 8 rows, in place. */
	void (*dct_blocks)(float *rows, size_t stride, u32 num_blocks);

	/*
	 * emit_row() of emit.h.  With 'samples' the rows still lack D along
	 * them; only where can_emit_samples() is true.
	 */
	void (*emit)(const struct emission *e, u32 p, const float *amplitudes,
		     size_t stride, u32 num_cols, u32 num_col_freqs,
		     bool samples);
	bool (*can_emit_samples)(const struct emission *e, u32 num_cols);
};

/* The best for this CPU. */
const struct dct_kernels *dct_kernels(void);

/* NULL where the compiler does not make code for such a CPU. */
extern const struct dct_kernels *const dct_kernels_avx2;

/* D^T as floats: [sample][frequency]. */
extern const float dct_matrix_t_f32[8][8];

#endif /* DCTLOAD_KERNELS_H */

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

/*
 * A piece of work of along(): 4 rows of a block, times 8 or 16 columns of its
 * operator, are added to 4 rows of the result.
 */
struct along_piece {
	u32 x_at, rows_at, z_at; /* first elements */
	u32 rows_stride;
};

/* Pieces are sorted by how many frequencies of their rows may be non-zero. */
#define NUM_EXTENTS 4
#define NUM_WIDTHS 2

struct along_lists {
	struct along_piece *pieces; /* [NUM_EXTENTS][NUM_WIDTHS][capacity] */
	size_t capacity;
	u32 num[NUM_EXTENTS][NUM_WIDTHS];
};

/* Four rows of input of across(): z[k * stride] with factors m[k][f]. */
struct across_group {
	const float *z;
	const float (*m)[8];
};

struct dct_kernels {
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
		      struct along_lists *lists, u32 *nonzero_ret);

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

	/* emit_row() of emit.h. */
	void (*emit)(const struct emission *e, u32 p, const float *amplitudes,
		     size_t stride, u32 num_cols, u32 num_col_freqs);
};

/* The best for this CPU. */
const struct dct_kernels *dct_kernels(void);

/* NULL where the compiler does not make code for such a CPU. */
extern const struct dct_kernels *const dct_kernels_avx2;

/* D^T as floats: [sample][frequency]. */
extern const float dct_matrix_t_f32[8][8];

#endif /* DCTLOAD_KERNELS_H */

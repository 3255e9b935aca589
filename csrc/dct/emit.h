/* SPDX-License-Identifier: MIT */
/* emit.h - float amplitudes to the elements of a tensor */
#ifndef DCTLOAD_EMIT_H
#define DCTLOAD_EMIT_H

#include "../common.h"

/*
 * How one component is written.  Channel k of output block (p, q) goes to
 * element k * channel_stride + p * row_stride + q * col_stride, and is amplitude
 * (row_freq[k], col_freq[k]) of that block times scale[k] plus offset[k], where
 * both indices count wanted frequencies.
 */
struct emission {
	u8 *out;
	u32 dtype; /* enum dctload_dtype */
	u32 num_channels;
	size_t channel_stride, row_stride, col_stride;
	u8 row_freq[64], col_freq[64];
	float scale[64], offset[64];
};

size_t dtype_nbytes(u32 dtype);

/*
 * Write one row of 'num_cols' output blocks.  amplitudes[r * stride + q *
 * num_col_freqs + c] is wanted frequency (r, c) of block q; NULL means zeros.
 */
void emit_row(const struct emission *e, u32 p, const float *amplitudes,
	      size_t stride, u32 num_cols, u32 num_col_freqs);

#endif /* DCTLOAD_EMIT_H */

/* SPDX-License-Identifier: MIT */
/* emit.h - float amplitudes to the elements of a tensor */
#ifndef DCTLOAD_EMIT_H
#define DCTLOAD_EMIT_H

#include "../common.h"

/*
 * How one component is written.  Channel k of output block (p, q) goes to
 * element k * channel_stride + p * row_stride + q * col_stride, and is amplitude
 * (row_freq[k], col_freq[k]) of that block times scale[k] plus offset[k].
 */
struct emission {
	u8 *out;
	u32 dtype;    /* enum dctload_dtype */
	u32 num_cols; /* output blocks q */
	u32 num_channels;
	size_t channel_stride, row_stride, col_stride;
	size_t nbytes; /* from 'out' on, if nothing else is there, else 0 */
	u8 row_freq[64], col_freq[64];
	float scale[64], offset[64];

	/*
	 * What comes in lacks D along or across the rows; 'factor' is the scale
	 * with what dct8() leaves out.
	 */
	bool dct_along, dct_across;
	float factor[64];

	/* Channels by column frequency: by_col[col_begin[c]..], rows ascending. */
	u8 by_col[64], col_begin[9];
	bool all;     /* every frequency is a channel, once */
	bool natural; /* and channel k is frequency (k / 8, k % 8) */
};

size_t dtype_nbytes(u32 dtype);

/* IEEE binary16, rounded to nearest even, overflow to infinity. */
u16 float_to_f16(float f);

/* The upper half of a float, rounded to nearest even. */
u16 float_to_bf16(float f);

/* Set 'by_col' and what goes with it. */
void emission_sort(struct emission *e);

/* Set 'factor'. */
void emission_set_factor(struct emission *e);

/* Element 'index' of out, cast from 'f'. */
void emission_put(const struct emission *e, size_t index, float f);

#endif /* DCTLOAD_EMIT_H */

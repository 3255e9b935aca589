/* SPDX-License-Identifier: MIT */
/*
 * resample.h - the operator of one axis, in the DCT domain
 *
 * Cropping, mirroring and antialiased resizing of one axis is a matrix R (out
 * samples x in samples) with a few non-zero entries a row.  With D the 8x8
 * orthonormal DCT-II matrix (rows are frequencies),
 *
 *	out amplitudes = D R D^T in amplitudes
 *
 * block by block, since D^T D = 1.  No approximation is made: the map on
 * amplitudes is R, seen from the frequency side.
 *
 * An operator is kept as R D^T, from amplitudes to samples.  A row of it meets
 * one or two input blocks, where a row of D R D^T meets two or three; and D,
 * which comes last, has a fast algorithm.
 */
#ifndef DCTLOAD_RESAMPLE_H
#define DCTLOAD_RESAMPLE_H

#include "../common.h"

/* A quotient of small whole numbers: a sampling ratio such as 1/2. */
struct ratio {
	u32 num, den;
};

/* Of one output axis, in samples; no JPEG is larger than 65,535. */
#define AXIS_MAX_SIZE (1u << 20)

/* Everything an operator depends on.  Compared as bytes: zero it first. */
struct axis_key {
	struct dctload_step steps[DCTLOAD_MAX_STEPS];
	u32 num_steps;
	u32 luma_size;         /* of the stored axis */
	u32 in_size, out_size; /* samples of this component */
	struct ratio in, out;  /* its resolution relative to luma */
	u32 may_copy;          /* whole blocks may be taken as they are */
};

struct taps_scratch;

/*
 * Input blocks [first, end) are all that output block o, and those that become
 * complete before it, depend on.  Both bounds are monotonous in o.
 */
struct axis_span {
	u32 first, end;
};

/*
 * What input block j adds to: output row rows[at + k] gets the sum of
 * coefs[at + k][u] times amplitude u, for k < num.  Input blocks come in
 * ascending order, and the first 'num_begun' rows have been met before.
 */
struct axis_column {
	u32 num_begun, num;
	size_t at;
};

/*
 * Output row 8 o + k is sample k of output block o, past the last sample that
 * one again.  With 'copies' it is amplitude k.  Rows that no input block reaches
 * are in 'empty'.
 */
struct axis_op {
	struct axis_key key;
	bool valid;
	u64 last_use;
	u32 num_in, num_out;  /* blocks */
	u32 first_in, end_in; /* input blocks that matter at all */
	bool copies;          /* every output block is an input block */
	bool backwards;       /* the last output block is complete first */
	bool covers_all;      /* each output row sees input */
	float *cover; /* what becomes of an input of ones: [8 num_out] */
	u32 num_empty, *empty;
	struct axis_span *out_spans;
	struct axis_column *columns;
	u32 *rows;
	float (*coefs)[8];
	size_t cover_capacity, empty_capacity, spans_capacity, columns_capacity;
	size_t rows_capacity, coefs_capacity;
};

/* Samples of a component along an axis of 'luma_size': ceil(size * ratio). */
static inline u32
ratio_size(u32 luma_size, struct ratio r)
{
	return (u32)(((u64)luma_size * r.num + r.den - 1) / r.den);
}

/* BAD_ARGUMENT unless every step is finite, has an output and a direction. */
enum dctload_status
axis_check_steps(const struct dctload_step *steps, u32 num_steps);

/* Build the operator of 'key', which has passed axis_check_steps(). */
enum dctload_status axis_build(struct axis_op *op, struct taps_scratch *scratch,
			       const struct axis_key *key);

void axis_free(struct axis_op *op);

/* Make room for 'n' elements of 'size' bytes; the old content is lost. */
bool grow(void **array, size_t *capacity, size_t n, size_t size);

#endif /* DCTLOAD_RESAMPLE_H */

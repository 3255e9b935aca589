/* SPDX-License-Identifier: MIT */
/*
 * resample.h - the operator of one axis, in the DCT domain
 *
 * Cropping, mirroring and antialiased resizing of one axis is a matrix R (out
 * samples x in samples) with a few non-zero entries a row.  With D the 8x8
 * orthonormal DCT-II matrix (rows are frequencies) and R cut into 8x8 blocks,
 *
 *	M[o,i] = D R[o,i] D^T
 *
 * takes amplitudes of input block i to what they add to output block o, since
 * D^T D = 1.  No approximation is made: the map on amplitudes is R, seen from
 * the frequency side.
 *
 * An operator may also be kept in two factors, R D^T and D.  A row of R D^T meets
 * one or two input blocks where a block of M meets two or three, and D, which
 * comes last, has a fast algorithm.
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
	u32 num_freqs;         /* output frequencies wanted, ascending */
	u8 freqs[8];
	u8 may_factor; /* the kernels can do with R D^T */
};

struct taps_scratch;

/* Which blocks of one side meet a block of the other. */
struct axis_span {
	u32 first, end;
	size_t at; /* index of the first of them in 'coefs' */
};

/* Row t of R D^T: halves[at..] for input blocks [first, end). */
struct axis_half {
	u32 first, end;
	size_t at;
};

/* Where the matrices of one input block lie side by side, see axis_op. */
struct axis_column {
	u32 first;    /* the first float of a row of results */
	u32 num_vecs; /* floats, in units of 8 */
	size_t at;    /* into 'rows' */
};

/*
 * out_spans[o] lists the input blocks that output block o depends on; the
 * k-th of them has its matrix at coefs[at + k], indexed [in frequency][out
 * frequency]; past 'num_freqs' an entry is zero.
 *
 * columns[j] has the same from the side of input block j: row u of the matrices
 * of all output blocks that it reaches, 'num_freqs' floats each, then zeros, is
 * at rows + at + u * 8 * num_vecs.  Made by axis_make_columns().
 *
 * With 'factored' there are no coefs but half_rows[t] of R D^T for each sample t
 * of the output blocks, and columns hold these: 8 floats for an output block.
 */
struct axis_op {
	struct axis_key key;
	bool valid;
	u64 last_use;
	u32 num_in, num_out;  /* blocks */
	u32 first_in, end_in; /* input blocks that matter at all */
	struct axis_span *out_spans;
	bool covers_all;   /* each output sample sees input */
	float (*cover)[8]; /* amplitudes of the output for input of ones */
	float (*coefs)[8][8];
	size_t num_coefs;

	bool factored;
	struct axis_half *half_rows;
	float (*halves)[8];
	size_t half_rows_capacity, halves_capacity;

	/*
	 * Per 64 half blocks of input, those whose column has 1, 2 or more
	 * vectors.
	 */
	u64 (*width_masks)[3];
	size_t masks_capacity;
	bool has_columns;
	struct axis_column *columns;
	float *rows;
	size_t columns_capacity, rows_capacity;
	size_t spans_capacity, coefs_capacity, cover_capacity;
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

/* Make 'columns', if they are not there. */
enum dctload_status axis_make_columns(struct axis_op *op);

void axis_free(struct axis_op *op);

/* Make room for 'n' elements of 'size' bytes; the old content is lost. */
bool grow(void **array, size_t *capacity, size_t n, size_t size);

#endif /* DCTLOAD_RESAMPLE_H */

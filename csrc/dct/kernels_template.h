/* SPDX-License-Identifier: MIT */
/*
 * kernels_template.h - the inner loops, to be compiled for one kind of CPU
 *
 * The file that includes this defines
 *
 *	KERNEL     the target attribute
 *	LANES      floats of a vector, 8 or 16: so many rows make a tile
 *	vec        that vector, as a type with the compiler's operators
 *
 * and these functions:
 *
 *	load(p), store(p, x)     unaligned
 *	load8(p)                 8 floats, in each 8 lanes
 *	load_steps(blocks, v)    row v of LANES / 8 blocks as floats
 *	is_deep(blocks)          have LANES / 8 blocks vertical frequencies above 3?
 *	load_transposed()        LANES rows of 8 floats become 8 vectors
 *	transpose()              LANES vectors of LANES floats
 *	store_cast()             see there
 *
 * How the work is cut is the same for all:
 *
 * across()  The lanes are 8 horizontal frequencies of one or two blocks, as they
 *           lie in memory.  A row of coefficients is made floats in registers and
 *           multiplied into all output rows that the blocks reach.  Where the
 *           upper half of the vertical frequencies is zero, it is left out: such
 *           blocks are done first, and there is no branch to predict for each.
 * along()   The lanes are rows of the tile, so a block of it is transposed on its
 *           way into registers.  The rest is the same.
 * emit()    D along the rows; then the lanes become output blocks, for D across
 *           the rows and for writing a channel.
 */

/* ---- products ---------------------------------------------------------- */

/* sum_k x[k] m[k], begun with 'sum' if that is not NULL. */
static KERNEL ALWAYS_INLINE void
multiply(float *out, const vec *x, const float *m, u32 n, bool add)
{
	vec sum = add ? load(out) + x[0] * m[0] : x[0] * m[0];

	for (u32 k = 1; k < n; k++)
		sum += x[k] * m[k];
	store(out, sum);
}

/* The same for 'x' and 'y', which share each weight that is loaded. */
static KERNEL ALWAYS_INLINE void
multiply_two(float *x_out, const vec *x, float *y_out, const vec *y,
	     const float *m, u32 n, bool add)
{
	vec x_sum = add ? load(x_out) + x[0] * m[0] : x[0] * m[0];
	vec y_sum = add ? load(y_out) + y[0] * m[0] : y[0] * m[0];

	for (u32 k = 1; k < n; k++) {
		const vec weight = m[k] - (vec){ 0 };

		x_sum += x[k] * weight;
		y_sum += y[k] * weight;
	}
	store(x_out, x_sum);
	store(y_out, y_sum);
}

/* ---- across ------------------------------------------------------------ */

#define CHUNK (LANES / 8) /* blocks side by side in a vector */

/* What a vector's blocks beyond the last are. */
static const s16 zero_block[BLOCK_COEFS];

static ALWAYS_INLINE void
chunk_blocks(const s16 *blocks[CHUNK], const struct blocks_row *part, u32 first,
	     u32 end)
{
	for (u32 b = 0; b < CHUNK; b++)
		blocks[b] = first + b < end ?
				    part->blocks +
					    (size_t)(first + b) * BLOCK_COEFS :
				    zero_block;
}

/* Which of up to 64 chunks from block 'base' on have high vertical frequencies. */
static KERNEL ALWAYS_INLINE u64
deep_chunks(const struct across_job *job, u32 base, u32 num, u32 num_parts)
{
	u64 mask = 0;

	for (u32 k = 0; k < num; k++) {
		const s16 *blocks[CHUNK];
		u64 deep = 0;

		for (u32 n = 0; n < num_parts; n++) {
			chunk_blocks(blocks, &job->parts[n], base + CHUNK * k,
				     job->num_blocks);
			deep |= is_deep(blocks);
		}
		mask |= deep << k;
	}
	return mask;
}

/*
 * Whole planes are more than L2 holds; without this a quarter of the time is spent
 * waiting for them.
 */
static KERNEL ALWAYS_INLINE void
prefetch_chunk(const struct blocks_row *part, u32 first)
{
	const s16 *next = part->next;

	if (next == NULL)
		return;
	next += (size_t)first * BLOCK_COEFS;
	for (u32 n = 0; n < CHUNK * BLOCK_COEFS; n += 32)
		__builtin_prefetch(next + n);
}

/* Rows of amplitudes of one part: set or, with 'add', added. */
static KERNEL ALWAYS_INLINE void
load_chunk(vec x[8], const struct blocks_row *part, u32 first, u32 end,
	   u32 rows, bool add)
{
	const s16 *blocks[CHUNK];

	prefetch_chunk(part, first);
	chunk_blocks(blocks, part, first, end);
	for (u32 v = 0; v < rows; v++) {
		const vec amplitudes =
			load_steps(blocks, v) * load8(part->dequant + 8 * v);

		if (add)
			x[v] += amplitudes;
		else
			x[v] = amplitudes;
	}
}

/* All parts of the chunk from block 'first' on. */
static KERNEL ALWAYS_INLINE void
load_parts(vec x[8], const struct across_job *job, u32 first, u32 rows,
	   u32 num_parts)
{
	load_chunk(x, &job->parts[0], first, job->num_blocks, rows, false);
	for (u32 n = 1; n < num_parts; n++)
		load_chunk(x, &job->parts[n], first, job->num_blocks, rows,
			   true);
}

/* Two of the chunks of 'mask', which have 'rows' rows; returns the others. */
static KERNEL ALWAYS_INLINE u64
across_two(const struct across_job *job, u32 base, u64 mask, u32 rows,
	   u32 num_parts)
{
	/* In locals, as the compiler thinks that a store may change '*job'. */
	const u32 num_begun = job->num_begun, num = job->num;
	const float (*const coefs)[8] = job->coefs;
	float *const *const out = job->out;
	const u64 others = mask & (mask - 1);
	const u32 first = base + CHUNK * (u32)__builtin_ctzll(mask);
	const u32 second = base + CHUNK * (u32)__builtin_ctzll(others);
	vec x[8], y[8];

	load_parts(x, job, first, rows, num_parts);
	load_parts(y, job, second, rows, num_parts);
	for (u32 r = 0; r < num_begun; r++)
		multiply_two(out[r] + (size_t)first * 8, x,
			     out[r] + (size_t)second * 8, y, coefs[r], rows,
			     true);
	for (u32 r = num_begun; r < num; r++)
		multiply_two(out[r] + (size_t)first * 8, x,
			     out[r] + (size_t)second * 8, y, coefs[r], rows,
			     false);
	return others & (others - 1);
}

/* The first of them. */
static KERNEL ALWAYS_INLINE u64
across_one(const struct across_job *job, u32 base, u64 mask, u32 rows,
	   u32 num_parts)
{
	const u32 num_begun = job->num_begun, num = job->num;
	const float (*const coefs)[8] = job->coefs;
	float *const *const out = job->out;
	const u32 first = base + CHUNK * (u32)__builtin_ctzll(mask);
	vec x[8];

	load_parts(x, job, first, rows, num_parts);
	for (u32 r = 0; r < num_begun; r++)
		multiply(out[r] + (size_t)first * 8, x, coefs[r], rows, true);
	for (u32 r = num_begun; r < num; r++)
		multiply(out[r] + (size_t)first * 8, x, coefs[r], rows, false);
	return mask & (mask - 1);
}

/* All of them: by twos where there are 32 registers of a whole vector. */
static KERNEL ALWAYS_INLINE void
across_chunks(const struct across_job *job, u32 base, u64 mask, u32 rows,
	      u32 num_parts)
{
	while (LANES == 16 && (mask & (mask - 1)) != 0)
		mask = across_two(job, base, mask, rows, num_parts);
	while (mask != 0)
		mask = across_one(job, base, mask, rows, num_parts);
}

static KERNEL ALWAYS_INLINE void
across_parts(const struct across_job *job, u32 num_parts)
{
	for (u32 base = 0; base < job->num_blocks; base += 64 * CHUNK) {
		const u32 num = min_u32(
			64, (job->num_blocks - base + CHUNK - 1) / CHUNK);
		const u64 deep = deep_chunks(job, base, num, num_parts);
		const u64 all = ~(u64)0 >> (64 - num);

		across_chunks(job, base, all & ~deep, 4, num_parts);
		across_chunks(job, base, deep, 8, num_parts);
	}
}

static KERNEL void
across(const struct across_job *job)
{
	if (job->num_parts == 1)
		across_parts(job, 1);
	else
		across_parts(job, job->num_parts);
}

/* ---- along ------------------------------------------------------------- */

static KERNEL ALWAYS_INLINE void
along_column(float *samples, const vec x[8], const struct axis_op *op,
	     const struct axis_column *col, u32 num_begun)
{
	const u32 *const rows = op->rows + col->at;
	const float (*const m)[8] = op->coefs + col->at;
	const u32 num = col->num;

	for (u32 r = 0; r < num_begun; r++)
		multiply(samples + (size_t)rows[r] * LANES, x, m[r], 8, true);
	for (u32 r = num_begun; r < num; r++)
		multiply(samples + (size_t)rows[r] * LANES, x, m[r], 8, false);
}

static KERNEL void
along(float *samples, const float *tile, size_t stride,
      const struct axis_op *op, bool add)
{
	const vec zero = { 0 };

	for (u32 k = 0; k < op->num_empty && !add; k++)
		store(samples + (size_t)op->empty[k] * LANES, zero);
	for (u32 j = op->first_in; j < op->end_in; j++) {
		const struct axis_column *const col = &op->columns[j];
		const u32 num_begun = add ? col->num : col->num_begun;
		const u32 k = j - op->first_in;
		vec x[8];

		load_transposed(x, tile + (size_t)k * 8, stride);
		along_column(samples, x, op, col, num_begun);
	}
}

/* ---- the DCT ----------------------------------------------------------- */

/* D without dct_gains, which the scale takes: both halves of a butterfly. */
static KERNEL ALWAYS_INLINE void
dct8(vec r[8])
{
	const float c3 = DCT_C3 / DCT_C1, c5 = DCT_C5 / DCT_C1;
	const float c7 = DCT_C7 / DCT_C1, c6 = DCT_C6 / DCT_C2;
	const vec s0 = r[0] + r[7], s1 = r[1] + r[6];
	const vec s2 = r[2] + r[5], s3 = r[3] + r[4];
	const vec d0 = r[0] - r[7], d1 = r[1] - r[6];
	const vec d2 = r[2] - r[5], d3 = r[3] - r[4];
	const vec a = s0 + s3, b = s1 + s2, e = s0 - s3, f = s1 - s2;

	r[0] = a + b;
	r[4] = a - b;
	r[2] = e + f * c6;
	r[6] = e * c6 - f;
	r[1] = d0 + (d1 * c3 + (d2 * c5 + d3 * c7));
	r[3] = d0 * c3 - (d1 * c7 + (d2 + d3 * c5));
	r[5] = d0 * c5 - (d1 - (d2 * c7 + d3 * c3));
	r[7] = d0 * c7 - (d1 * c5 - (d2 * c3 - d3));
}

/* ---- emission ---------------------------------------------------------- */

/*
 * Where blocks (p, q) .. (p, q + n - 1) go: channel 0 at element 'at', which is
 * at 'out' if elements of a channel are neighbours.  All that channels need of an
 * emission, in locals: a store may change '*e', for all that a compiler knows.
 */
struct emit_place {
	u8 *out;
	size_t at, channel_nbytes;
	size_t ahead; /* bytes to the end of the same in the tile to come */
	u32 n;
};

static KERNEL ALWAYS_INLINE void
emit_place(struct emit_place *place, const struct emission *e, u32 dtype, u32 p,
	   u32 q, u32 n)
{
	const size_t size = dtype == DCTLOAD_F32 ? 4 : 2;

	place->at = p * e->row_stride + q * e->col_stride;
	place->out = e->out + place->at * size;
	place->channel_nbytes = e->channel_stride * size;
	place->ahead = (CHUNK * e->row_stride + n) * size - 1;
	place->n = n;
}

/*
 * Fetch the place of the tile to come.  Nobody has read the output for long: stores
 * would wait for each of its lines, as the strides are more than a CPU can foresee.
 * That is a sixth of the time of a sample of all frequencies in float32.
 */
static KERNEL ALWAYS_INLINE void
prefetch_out(const u8 *out, size_t ahead)
{
	__builtin_prefetch(out + ahead, 1);
}

/* Channel 'k' there. */
static KERNEL ALWAYS_INLINE void
emit_channel(const struct emit_place *place, const struct emission *e,
	     u32 dtype, u32 k, vec amplitudes)
{
	const vec x = amplitudes * e->factor[k] + e->offset[k];
	float values[LANES];

	if (dtype <= DCTLOAD_BF16) {
		u8 *const out = place->out + k * place->channel_nbytes;

		prefetch_out(out, place->ahead);
		store_cast(out, dtype, x, place->n);
		return;
	}
	/* Any stride, any type. */
	store(values, x);
	for (u32 i = 0; i < place->n; i++)
		emission_put(e,
			     place->at + k * e->channel_stride +
				     i * e->col_stride,
			     values[i]);
}

/* Column frequency 'c' of LANES blocks from 'q' on. */
static KERNEL ALWAYS_INLINE void
emit_col_freq(const struct emission *e, u32 dtype, u32 p, u32 num_rows, u32 q,
	      u32 c, const float *samples)
{
	const u8 *const channels = e->by_col + e->col_begin[c];
	const u32 num = (u32)e->col_begin[c + 1] - e->col_begin[c];
	const u32 n = min_u32(LANES, e->num_cols - q);
	const bool all = e->all;
	const size_t block = 8 * LANES;
	struct emit_place place;

	for (u32 b = 0; b < num_rows; b++) {
		vec x[8];

		load_transposed(x, samples + q * block + c * LANES + 8 * b,
				block);
		if (e->dct_across)
			dct8(x);
		emit_place(&place, e, dtype, p + b, q, n);
		for (u32 r = 0; r < 8 && all; r++)
			emit_channel(&place, e, dtype, channels[r], x[r]);
		for (u32 k = 0; k < num && !all; k++)
			emit_channel(&place, e, dtype, channels[k],
				     x[e->row_freq[channels[k]]]);
	}
}

static KERNEL ALWAYS_INLINE void
emit_as(const struct emission *e, u32 dtype, u32 p, u32 num_rows,
	const float *samples)
{
	for (u32 c = 0; c < 8; c++)
		for (u32 q = 0; q < e->num_cols; q += LANES)
			if (e->col_begin[c] != e->col_begin[c + 1])
				emit_col_freq(e, dtype, p, num_rows, q, c,
					      samples);
}

/* The channels of output block (p, q) side by side, from all its amplitudes. */
static KERNEL ALWAYS_INLINE void
emit_block(const struct emission *e, u32 p, u32 q, const float amplitudes[64])
{
	const size_t at = p * e->row_stride + q * e->col_stride;
	const size_t size = dtype_nbytes(e->dtype);
	float chosen[64] = { 0 }, values[LANES];

	for (u32 k = 0; k < e->num_channels && !e->natural; k++)
		chosen[k] = amplitudes[8 * e->row_freq[k] + e->col_freq[k]];
	for (u32 k = 0; k < e->num_channels; k += LANES) {
		const u32 n = min_u32(LANES, e->num_channels - k);
		const vec x = load((e->natural ? amplitudes : chosen) + k) *
				      load(e->factor + k) +
			      load(e->offset + k);

		if (e->dtype <= DCTLOAD_BF16) {
			u8 *const out = e->out + (at + k) * size;

			prefetch_out(out, CHUNK * e->row_stride * size);
			store_cast(out, e->dtype, x, n);
			continue;
		}
		store(values, x);
		for (u32 i = 0; i < n; i++)
			emission_put(e, at + k + i, values[i]);
	}
}

/* Blocks from 'q' on as far as a vector goes, where channels are neighbours. */
static KERNEL ALWAYS_INLINE void
emit_interleaved(const struct emission *e, u32 p, u32 num_rows, u32 q,
		 const float *samples)
{
	const u32 num = min_u32(CHUNK, e->num_cols - q);
	float amplitudes[CHUNK][64], both[LANES];
	vec x[LANES];

	for (u32 i = 0; i < LANES; i++) {
		const u32 block = min_u32(q + i / 8, e->num_cols - 1);

		x[i] = load(samples + ((size_t)block * 8 + i % 8) * LANES);
	}
	transpose(x);
	for (u32 b = 0; b < CHUNK && b < num_rows; b++) {
		if (e->dct_across)
			dct8(x + 8 * b);
		for (u32 r = 0; r < 8; r++) {
			store(both, x[8 * b + r]);
			for (u32 i = 0; i < CHUNK; i++)
				memcpy(amplitudes[i] + 8 * r, both + 8 * i,
				       8 * sizeof(float));
		}
		for (u32 i = 0; i < num; i++)
			emit_block(e, p + b, q + i, amplitudes[i]);
	}
}

static KERNEL void
emit(const struct emission *e, u32 p, u32 num_rows, float *samples)
{
	for (u32 q = 0; q < e->num_cols && e->dct_along; q++) {
		float *const block = samples + (size_t)q * 8 * LANES;
		vec x[8];

		for (u32 k = 0; k < 8; k++)
			x[k] = load(block + k * LANES);
		dct8(x);
		for (u32 k = 0; k < 8; k++)
			store(block + k * LANES, x[k]);
	}
	if (e->channel_stride == 1)
		for (u32 q = 0; q < e->num_cols; q += CHUNK)
			emit_interleaved(e, p, num_rows, q, samples);
	else if (e->col_stride != 1 || e->dtype > DCTLOAD_BF16)
		emit_as(e, DCTLOAD_I8, p, num_rows, samples);
	else if (e->dtype == DCTLOAD_F32)
		emit_as(e, DCTLOAD_F32, p, num_rows, samples);
	else if (e->dtype == DCTLOAD_F16)
		emit_as(e, DCTLOAD_F16, p, num_rows, samples);
	else
		emit_as(e, DCTLOAD_BF16, p, num_rows, samples);
}

/* ---- tiles ------------------------------------------------------------- */

static KERNEL void
tile(float *samples, const float *rows, size_t stride, u32 num)
{
	for (size_t q = 0; q < num; q++) {
		vec x[8];

		load_transposed(x, rows + 8 * q, stride);
		for (u32 k = 0; k < 8; k++)
			store(samples + (8 * q + k) * LANES, x[k]);
	}
}

static KERNEL void
untile(float *rows, size_t stride, const float *samples, u32 num)
{
	const size_t num_floats = 8 * (size_t)num;

	for (size_t at = 0; at < num_floats; at += LANES) {
		vec x[LANES];

		for (u32 k = 0; k < LANES; k++)
			x[k] = load(samples +
				    (at + k < num_floats ? at + k : at) *
					    LANES);
		transpose(x);
		for (u32 k = 0; k < LANES; k++) {
			float *const out = rows + k * stride + at;
			float row[LANES];

			if (at + LANES <= num_floats) {
				store(out, x[k]);
				continue;
			}
			store(row, x[k]);
			memcpy(out, row, 8 * sizeof(*row));
		}
	}
}

#include "axis_template.h"

static const struct dct_kernels kernels = {
	.lanes = LANES,
	.triangle_rows = triangle_rows,
	.fill_rows = fill_rows,
	.across = across,
	.along = along,
	.emit = emit,
	.tile = tile,
	.untile = untile,
};

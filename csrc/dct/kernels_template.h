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
 *	chunk_extents()          see there
 *	load_transposed()        LANES rows of 8 floats become 8 vectors
 *	transpose()              LANES vectors of LANES floats
 *	store_cast()             see there
 *
 * How the work is cut is the same for all:
 *
 * across()  The lanes are 8 horizontal frequencies of one or two blocks, as they
 *           lie in memory.  A row of coefficients is made floats in registers and
 *           multiplied into all output rows that the blocks reach.  Most of the
 *           high vertical frequencies are zero: blocks are done in the order of
 *           the number of rows that are not, so that each such number has a loop
 *           without branches, and few are mispredicted.
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

/*
 * Of up to 64 chunks from block 'first' on, masks[n] says which have n rows of
 * vertical frequencies.
 */
static KERNEL ALWAYS_INLINE void
sort_chunks(const struct across_job *job, u32 base, u32 num_parts, u64 masks[9])
{
	const u32 num = min_u32(64, (job->end - base + CHUNK - 1) / CHUNK);
	u8 *const extents = job->extents + (base - job->first) / CHUNK;

	memset(masks, 0, 9 * sizeof(masks[0]));
	for (u32 k = 0; k < num; k++) {
		const s16 *blocks[CHUNK];
		u32 rows = 0, cols = 0;

		for (u32 n = 0; n < num_parts; n++) {
			u32 v, u;

			chunk_blocks(blocks, &job->parts[n], base + CHUNK * k,
				     job->end);
			chunk_extents(blocks, &v, &u);
			rows = max_u32(rows, v);
			cols = max_u32(cols, u);
		}
		extents[k] = (u8)cols;
		masks[rows] |= (u64)1 << k;
	}
}

/*
 * Whole planes are more than L2 holds; without this a quarter of the time is spent
 * waiting for them.
 */
static KERNEL ALWAYS_INLINE void
prefetch_chunk(const struct blocks_row *part, u32 first)
{
	const s16 *const next = part->next + (size_t)first * BLOCK_COEFS;

	if (part->next == NULL)
		return;
	for (u32 n = 0; n < CHUNK * BLOCK_COEFS; n += 32)
		__builtin_prefetch(next + n);
}

/* The chunks of 'mask', which have 'rows' rows. */
static KERNEL ALWAYS_INLINE void
across_chunks(const struct across_job *job, u32 base, u64 mask, u32 rows,
	      u32 num_parts)
{
	/* In locals, as the compiler thinks that a store may change '*job'. */
	const u32 num_begun = job->num_begun, num = job->num;
	const float (*const coefs)[8] = job->coefs;
	float *const *const out = job->out;

	for (; mask != 0; mask &= mask - 1) {
		const u32 k = (u32)__builtin_ctzll(mask);
		const u32 first = base + CHUNK * k;
		const size_t at = (size_t)(first - job->first) * 8;
		const s16 *blocks[CHUNK];
		vec x[8];

		for (u32 n = 0; n < num_parts; n++) {
			const float *const dequant = job->parts[n].dequant;

			prefetch_chunk(&job->parts[n], first);
			chunk_blocks(blocks, &job->parts[n], first, job->end);
			for (u32 v = 0; v < rows; v++) {
				const vec a = load_steps(blocks, v) *
					      load8(dequant + 8 * v);

				if (n == 0)
					x[v] = a;
				else
					x[v] += a;
			}
		}
		for (u32 r = 0; r < num_begun; r++)
			multiply(out[r] + at, x, coefs[r], rows, true);
		for (u32 r = num_begun; r < num; r++)
			multiply(out[r] + at, x, coefs[r], rows, false);
	}
}

static KERNEL void
across_zeros(const struct across_job *job, u32 base, u64 mask)
{
	const vec zero = { 0 };

	for (; mask != 0; mask &= mask - 1) {
		const u32 k = (u32)__builtin_ctzll(mask);
		const size_t at = (size_t)(base + CHUNK * k - job->first) * 8;

		for (u32 r = job->num_begun; r < job->num; r++)
			store(job->out[r] + at, zero);
	}
}

static KERNEL ALWAYS_INLINE void
across_parts(const struct across_job *job, u32 num_parts)
{
	for (u32 base = job->first; base < job->end; base += 64 * CHUNK) {
		u64 masks[9];

		sort_chunks(job, base, num_parts, masks);
		across_zeros(job, base, masks[0]);
		across_chunks(job, base, masks[1], 1, num_parts);
		across_chunks(job, base, masks[2], 2, num_parts);
		across_chunks(job, base, masks[3], 3, num_parts);
		across_chunks(job, base, masks[4], 4, num_parts);
		across_chunks(job, base, masks[5], 5, num_parts);
		across_chunks(job, base, masks[6], 6, num_parts);
		across_chunks(job, base, masks[7], 7, num_parts);
		across_chunks(job, base, masks[8], 8, num_parts);
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
	     const struct axis_column *col, u32 num_begun, u32 extent)
{
	const u32 *const rows = op->rows + col->at;
	const float (*const m)[8] = op->coefs + col->at;
	const u32 num = col->num;

	for (u32 r = 0; r < num_begun; r++)
		multiply(samples + (size_t)rows[r] * LANES, x, m[r], extent,
			 true);
	for (u32 r = num_begun; r < num; r++)
		multiply(samples + (size_t)rows[r] * LANES, x, m[r], extent,
			 false);
}

static KERNEL void
along(float *samples, const float *tile, size_t stride, const u8 *extents,
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
		if (extents[k / CHUNK] <= 4)
			along_column(samples, x, op, col, num_begun, 4);
		else
			along_column(samples, x, op, col, num_begun, 8);
	}
}

/* ---- the DCT ----------------------------------------------------------- */

/* D = even half and odd half of a butterfly; constants as in resample.c. */
static KERNEL ALWAYS_INLINE void
dct8(vec r[8])
{
	const float *const c = dct_matrix_t_f32[0];
	const vec s0 = r[0] + r[7], s1 = r[1] + r[6];
	const vec s2 = r[2] + r[5], s3 = r[3] + r[4];
	const vec d0 = r[0] - r[7], d1 = r[1] - r[6];
	const vec d2 = r[2] - r[5], d3 = r[3] - r[4];
	const vec a = s0 + s3, b = s1 + s2, e = s0 - s3, f = s1 - s2;

	r[0] = (a + b) * c[4];
	r[4] = (a - b) * c[4];
	r[2] = e * c[2] + f * c[6];
	r[6] = e * c[6] - f * c[2];
	r[1] = d0 * c[1] + (d1 * c[3] + (d2 * c[5] + d3 * c[7]));
	r[3] = d0 * c[3] - (d1 * c[7] + (d2 * c[1] + d3 * c[5]));
	r[5] = d0 * c[5] - (d1 * c[1] - (d2 * c[7] + d3 * c[3]));
	r[7] = d0 * c[7] - (d1 * c[5] - (d2 * c[3] - d3 * c[1]));
}

/* ---- emission ---------------------------------------------------------- */

/* 'n' neighbours along a row of output blocks, of channel 'k'. */
static KERNEL ALWAYS_INLINE void
emit_channel(const struct emission *e, u32 dtype, u32 p, u32 q, u32 n, u32 k,
	     vec amplitudes)
{
	const vec x = amplitudes * e->scale[k] + e->offset[k];
	const size_t at =
		k * e->channel_stride + p * e->row_stride + q * e->col_stride;
	float values[LANES];

	if (dtype <= DCTLOAD_BF16) {
		store_cast(e->out + at * (dtype == DCTLOAD_F32 ? 4 : 2), dtype,
			   x, n);
		return;
	}
	/* Any stride, any type. */
	store(values, x);
	for (u32 i = 0; i < n; i++)
		emission_put(e, at + i * e->col_stride, values[i]);
}

/* Column frequency 'c' of LANES blocks from 'q' on. */
static KERNEL ALWAYS_INLINE void
emit_col_freq(const struct emission *e, u32 dtype, u32 p, u32 num_rows, u32 q,
	      u32 c, const float *samples)
{
	const u8 *const channels = e->by_col + e->col_begin[c];
	const u32 num = (u32)e->col_begin[c + 1] - e->col_begin[c];
	const u32 last = e->num_cols - 1, n = min_u32(LANES, e->num_cols - q);
	vec x[LANES];

	for (u32 i = 0; i < LANES; i++)
		x[i] = load(samples +
			    (size_t)(min_u32(q + i, last) * 8 + c) * LANES);
	transpose(x);
	for (u32 b = 0; b < CHUNK; b++) {
		if (b == num_rows)
			return;
		if (e->dct_across)
			dct8(x + 8 * b);
		if (e->all) {
			for (u32 r = 0; r < 8; r++)
				emit_channel(e, dtype, p + b, q, n, channels[r],
					     x[8 * b + r]);
			continue;
		}
		for (u32 k = 0; k < num; k++)
			emit_channel(e, dtype, p + b, q, n, channels[k],
				     x[8 * b + e->row_freq[channels[k]]]);
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
	if (e->col_stride != 1)
		emit_as(e, DCTLOAD_I8, p, num_rows, samples);
	else if (e->dtype == DCTLOAD_F32)
		emit_as(e, DCTLOAD_F32, p, num_rows, samples);
	else if (e->dtype == DCTLOAD_F16)
		emit_as(e, DCTLOAD_F16, p, num_rows, samples);
	else if (e->dtype == DCTLOAD_BF16)
		emit_as(e, DCTLOAD_BF16, p, num_rows, samples);
	else
		emit_as(e, DCTLOAD_I8, p, num_rows, samples);
}

/* ---- operators --------------------------------------------------------- */

static KERNEL void
half_row(float m[8], const double *w, u32 first, u32 n)
{
	float sum[8] = { 0 };

	for (u32 k = 0; k < n; k++)
		for (u32 u = 0; u < 8; u++)
			sum[u] += (float)w[k] * dct_matrix_t_f32[first + k][u];
	memcpy(m, sum, sizeof(sum));
}

static const struct dct_kernels kernels = {
	.lanes = LANES,
	.half_row = half_row,
	.across = across,
	.along = along,
	.emit = emit,
};

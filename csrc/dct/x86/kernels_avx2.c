/* SPDX-License-Identifier: MIT */
/* kernels_avx2.c - the inner loops with AVX2, FMA and F16C */

#include "../kernels.h"

#if ARCH_X86_64

#include <immintrin.h>

#define AVX2 TARGET("avx2,fma,f16c,bmi,lzcnt")

/* ---- dequantisation ---------------------------------------------------- */

/* How many leading columns of four rows of int16 are not all zero. */
static AVX2 inline u32
extent_of(__m256i rows01, __m256i rows23)
{
	const __m256i any = _mm256_or_si256(rows01, rows23);
	const __m128i columns = _mm_or_si128(_mm256_castsi256_si128(any),
					     _mm256_extracti128_si256(any, 1));
	const __m128i zero = _mm_cmpeq_epi16(columns, _mm_setzero_si128());
	const u32 nonzero = ~(u32)_mm_movemask_epi8(zero) & 0xFFFF;

	return (32 - _lzcnt_u32(nonzero)) / 2;
}

static AVX2 void
dequantize_avx2(float *x, u8 *extents, const s16 *blocks,
		const float dequant[BLOCK_COEFS], u32 first, u32 end, bool add)
{
	for (u32 half = 2 * first; half < 2 * end; half++) {
		const s16 *const in = blocks + (size_t)half * 32;
		const float *const factors = dequant + half % 2 * 32;
		float *const out = x + (size_t)half * 32;
		const __m256i a = _mm256_loadu_si256((const void *)in);
		const __m256i b = _mm256_loadu_si256((const void *)(in + 16));
		const u32 extent = extent_of(a, b);
		const __m128i rows[4] = {
			_mm256_castsi256_si128(a),
			_mm256_extracti128_si256(a, 1),
			_mm256_castsi256_si128(b),
			_mm256_extracti128_si256(b, 1),
		};

		for (u32 v = 0; v < 4; v++) {
			const __m256 steps = _mm256_cvtepi32_ps(
				_mm256_cvtepi16_epi32(rows[v]));
			const __m256 q = _mm256_loadu_ps(factors + 8 * v);
			float *const p = out + 8 * v;

			_mm256_storeu_ps(
				p, add ? _mm256_fmadd_ps(steps, q,
							 _mm256_loadu_ps(p)) :
					 _mm256_mul_ps(steps, q));
		}
		if (!add || extent > extents[half])
			extents[half] = (u8)extent;
	}
}

/* ---- along ------------------------------------------------------------- */

/*
 * Four rows v of the result += four rows of x times 'width' vectors of the
 * operator's columns, over the first 'extent' frequencies.  The sum is formed
 * in registers and added to memory at the end, so that pieces that meet there
 * wait for one addition only.
 */
static AVX2 ALWAYS_INLINE void
along_piece(float *out, size_t stride, const float *in, const float *m,
	    size_t m_stride, u32 extent, u32 width)
{
	__m256 acc[4][2];

	for (u32 v = 0; v < 4; v++)
		for (u32 w = 0; w < width; w++)
			acc[v][w] =
				_mm256_mul_ps(_mm256_broadcast_ss(in + 8 * v),
					      _mm256_loadu_ps(m + 8 * w));
	for (u32 u = 1; u < extent; u++)
		for (u32 v = 0; v < 4; v++)
			for (u32 w = 0; w < width; w++)
				acc[v][w] = _mm256_fmadd_ps(
					_mm256_broadcast_ss(in + 8 * v + u),
					_mm256_loadu_ps(m + u * m_stride +
							8 * w),
					acc[v][w]);
	for (u32 v = 0; v < 4; v++)
		for (u32 w = 0; w < width; w++) {
			float *const p = out + v * stride + 8 * w;

			_mm256_storeu_ps(p, _mm256_add_ps(_mm256_loadu_ps(p),
							  acc[v][w]));
		}
}

/* The pieces of the half blocks in 'mask'; 'width' 0 stands for any. */
static AVX2 ALWAYS_INLINE void
along_pieces(float *z, size_t stride, const float *x, const struct axis_op *op,
	     u32 base, u64 mask, u32 extent, u32 width)
{
	for (; mask != 0; mask &= mask - 1) {
		const u32 half = base + (u32)__builtin_ctzll(mask);
		const struct axis_column *const col = &op->columns[half / 2];
		const float *const in = x + (size_t)half * 32;
		const float *const m = op->rows + col->at;
		float *const out = z + half % 2 * 4 * stride + col->first;
		const u32 num = col->num_vecs;
		u32 w = 0;

		if (width != 0) {
			along_piece(out, stride, in, m, 8 * width, extent,
				    width);
			continue;
		}
		for (; w + 2 <= num; w += 2)
			along_piece(out + 8 * w, stride, in, m + 8 * w, 8 * num,
				    extent, 2);
		if (w < num)
			along_piece(out + 8 * w, stride, in, m + 8 * w, 8 * num,
				    extent, 1);
	}
}

/* Which of 64 half blocks have extent 2 k - 1 or 2 k, as masks[k - 1]. */
static AVX2 inline void
extent_masks(const u8 *extents, u64 masks[4])
{
	const __m256i zero = _mm256_setzero_si256();
	const __m256i a = _mm256_avg_epu8(
		_mm256_loadu_si256((const void *)extents), zero);
	const __m256i b = _mm256_avg_epu8(
		_mm256_loadu_si256((const void *)(extents + 32)), zero);

	for (int k = 0; k < 4; k++) {
		const __m256i want = _mm256_set1_epi8((char)(k + 1));
		const u32 low =
			(u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, want));
		const u32 high =
			(u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, want));

		masks[k] = low | (u64)high << 32;
	}
}

/* The bits of [first, end) that lie in the 64 from 'base' on. */
static inline u64
range_mask(u32 base, u32 first, u32 end)
{
	u64 mask = ~(u64)0;

	if (first > base)
		mask &= first - base < 64 ? mask << (first - base) : 0;
	if (end < base + 64)
		mask &= end > base ? ~(u64)0 >> (base + 64 - end) : 0;
	return mask;
}

static AVX2 void
along_avx2(float *z, size_t stride, const float *x, const u8 *extents,
	   const struct axis_op *op, u32 *nonzero_ret)
{
	const u32 first = 2 * op->first_in, end = 2 * op->end_in;
	u64 any = 0;

	memset(z, 0, 8 * stride * sizeof(*z));
	for (u32 base = first & ~63u; base < end; base += 64) {
		const u64 *const widths = op->width_masks[base / 64];
		const u64 range = range_mask(base, first, end);
		u64 masks[4];

		extent_masks(extents + base, masks);
#define RUN(k)                                                     \
	masks[k] &= range;                                         \
	any |= masks[k];                                           \
	along_pieces(z, stride, x, op, base, masks[k] & widths[0], \
		     2 * (k) + 2, 1);                              \
	along_pieces(z, stride, x, op, base, masks[k] & widths[1], \
		     2 * (k) + 2, 2);                              \
	along_pieces(z, stride, x, op, base, masks[k] & widths[2], \
		     2 * (k) + 2, 0)
		RUN(0);
		RUN(1);
		RUN(2);
		RUN(3);
#undef RUN
	}
	*nonzero_ret = (u32)((any & 0x5555555555555555) != 0) |
		       (u32)((any & 0xAAAAAAAAAAAAAAAA) != 0) << 1;
}

/* ---- across ------------------------------------------------------------ */

/* Four rows of the result, 'width' vectors of columns. */
static AVX2 ALWAYS_INLINE void
across_tile(float *out, size_t stride, u32 f, u32 n, u32 width,
	    const struct across_group *groups, u32 num_groups)
{
	__m256 acc[4][2];

	for (u32 r = 0; r < 4; r++)
		for (u32 w = 0; w < width; w++)
			acc[r][w] = _mm256_setzero_ps();
	for (u32 g = 0; g < num_groups; g++) {
		const float *const z = groups[g].z + n;
		const float *const m = &groups[g].m[0][f];

		for (u32 k = 0; k < 4; k++)
			for (u32 r = 0; r < 4; r++)
				for (u32 w = 0; w < width; w++)
					acc[r][w] = _mm256_fmadd_ps(
						_mm256_broadcast_ss(m + 8 * k +
								    r),
						_mm256_loadu_ps(z + k * stride +
								8 * w),
						acc[r][w]);
	}
	for (u32 r = 0; r < 4; r++)
		for (u32 w = 0; w < width; w++)
			_mm256_storeu_ps(out + (f + r) * stride + n + 8 * w,
					 acc[r][w]);
}

static AVX2 void
across_avx2(float *out, size_t stride, u32 num_rows, u32 num_cols,
	    const struct across_group *groups, u32 num_groups)
{
	for (u32 f = 0; f < num_rows; f += 4) {
		u32 n = 0;

		for (; n + 16 <= num_cols; n += 16)
			across_tile(out, stride, f, n, 2, groups, num_groups);
		if (n < num_cols)
			across_tile(out, stride, f, n, 1, groups, num_groups);
	}
}

/* Two rows of the result, 'width' vectors of columns, all their input. */
static AVX2 ALWAYS_INLINE void
pair_tile(float *out, size_t stride, u32 n, u32 width,
	  const struct across_pair *pairs, u32 num)
{
	__m256 acc[2][4];

	for (u32 r = 0; r < 2; r++)
		for (u32 w = 0; w < width; w++)
			acc[r][w] = _mm256_setzero_ps();
	for (u32 g = 0; g < num; g++) {
		const float *const z = pairs[g].z + n;

		for (u32 k = 0; k < 4; k++)
			for (u32 r = 0; r < 2; r++)
				for (u32 w = 0; w < width; w++)
					acc[r][w] = _mm256_fmadd_ps(
						_mm256_broadcast_ss(
							pairs[g].m[r] + k),
						_mm256_loadu_ps(z + k * stride +
								8 * w),
						acc[r][w]);
	}
	for (u32 r = 0; r < 2; r++)
		for (u32 w = 0; w < width; w++)
			_mm256_storeu_ps(out + r * stride + n + 8 * w,
					 acc[r][w]);
}

static AVX2 void
across_factored_avx2(float *out, size_t stride, u32 num_cols,
		     const struct across_pair *const pairs[4], const u32 num[4])
{
	for (u32 k = 0; k < 4; k++) {
		float *const rows = out + 2 * k * stride;
		u32 n = 0;

		for (; n + 32 <= num_cols; n += 32)
			pair_tile(rows, stride, n, 4, pairs[k], num[k]);
		for (; n + 16 <= num_cols; n += 16)
			pair_tile(rows, stride, n, 2, pairs[k], num[k]);
		if (n < num_cols)
			pair_tile(rows, stride, n, 1, pairs[k], num[k]);
	}
}

/* ---- the DCT that factored operators leave to do ----------------------- */

/* D = even half and odd half of a butterfly; constants as in resample.c. */
static AVX2 ALWAYS_INLINE void
dct8(__m256 r[8])
{
#define C(k) _mm256_set1_ps(dct_matrix_t_f32[0][k])
	const __m256 s0 = _mm256_add_ps(r[0], r[7]);
	const __m256 s1 = _mm256_add_ps(r[1], r[6]);
	const __m256 s2 = _mm256_add_ps(r[2], r[5]);
	const __m256 s3 = _mm256_add_ps(r[3], r[4]);
	const __m256 d0 = _mm256_sub_ps(r[0], r[7]);
	const __m256 d1 = _mm256_sub_ps(r[1], r[6]);
	const __m256 d2 = _mm256_sub_ps(r[2], r[5]);
	const __m256 d3 = _mm256_sub_ps(r[3], r[4]);
	const __m256 a = _mm256_add_ps(s0, s3), b = _mm256_add_ps(s1, s2);
	const __m256 e = _mm256_sub_ps(s0, s3), f = _mm256_sub_ps(s1, s2);
	const __m256 c1 = C(1), c2 = C(2), c3 = C(3), c4 = C(4), c5 = C(5);
	const __m256 c6 = C(6), c7 = C(7);

	r[0] = _mm256_mul_ps(c4, _mm256_add_ps(a, b));
	r[4] = _mm256_mul_ps(c4, _mm256_sub_ps(a, b));
	r[2] = _mm256_fmadd_ps(c2, e, _mm256_mul_ps(c6, f));
	r[6] = _mm256_fmsub_ps(c6, e, _mm256_mul_ps(c2, f));
	r[1] = _mm256_fmadd_ps(
		c1, d0,
		_mm256_fmadd_ps(
			c3, d1,
			_mm256_fmadd_ps(c5, d2, _mm256_mul_ps(c7, d3))));
	r[3] = _mm256_fmsub_ps(
		c3, d0,
		_mm256_fmadd_ps(
			c7, d1,
			_mm256_fmadd_ps(c1, d2, _mm256_mul_ps(c5, d3))));
	r[5] = _mm256_fmadd_ps(
		c5, d0,
		_mm256_fmsub_ps(
			c7, d2,
			_mm256_fmsub_ps(c1, d1, _mm256_mul_ps(c3, d3))));
	r[7] = _mm256_fmadd_ps(
		c7, d0,
		_mm256_fmsub_ps(
			c3, d2,
			_mm256_fmadd_ps(c5, d1, _mm256_mul_ps(c1, d3))));
#undef C
}

static AVX2 void
dct_rows_avx2(float *rows, size_t stride, u32 num_cols)
{
	for (u32 n = 0; n < num_cols; n += 8) {
		__m256 r[8];

		for (u32 k = 0; k < 8; k++)
			r[k] = _mm256_loadu_ps(rows + k * stride + n);
		dct8(r);
		for (u32 k = 0; k < 8; k++)
			_mm256_storeu_ps(rows + k * stride + n, r[k]);
	}
}

static AVX2 void
dct_blocks_avx2(float *rows, size_t stride, u32 num_blocks)
{
	for (u32 k = 0; k < 8; k++)
		for (u32 q = 0; q < num_blocks; q++) {
			float *const p = rows + k * stride + q * 8;
			__m256 sum = _mm256_setzero_ps();

			for (u32 s = 0; s < 8; s++)
				sum = _mm256_fmadd_ps(
					_mm256_broadcast_ss(p + s),
					_mm256_loadu_ps(dct_matrix_t_f32[s]),
					sum);
			_mm256_storeu_ps(p, sum);
		}
}

/* ---- operators --------------------------------------------------------- */

static AVX2 void
matrix_avx2(float m[8][8], const float r[8][8], const float dt[8][8])
{
	__m256 acc[8];
	float half[8][8];

	/* R D^T, out sample by out sample; most of R is zero. */
	for (u32 k = 0; k < 8; k++) {
		__m256 row = _mm256_setzero_ps();

		for (u32 s = 0; s < 8; s++)
			row = _mm256_fmadd_ps(
				_mm256_broadcast_ss(&r[k][s]),
				_mm256_loadu_ps(dct_matrix_t_f32[s]), row);
		_mm256_storeu_ps(half[k], row);
	}
	for (u32 u = 0; u < 8; u++)
		acc[u] = _mm256_setzero_ps();
	for (u32 k = 0; k < 8; k++) {
		const __m256 d = _mm256_loadu_ps(dt[k]);

		for (u32 u = 0; u < 8; u++)
			acc[u] = _mm256_fmadd_ps(
				_mm256_broadcast_ss(&half[k][u]), d, acc[u]);
	}
	for (u32 u = 0; u < 8; u++)
		_mm256_storeu_ps(m[u], acc[u]);
}

static AVX2 void
half_avx2(float (*out)[8], const double *w, u32 first, u32 num)
{
	const u32 end = first + num;

	for (u32 s = first; s < end; out++) {
		const u32 stop = min_u32(end, (s | 7) + 1);
		__m256 sum = _mm256_setzero_ps();

		for (; s < stop; s++)
			sum = _mm256_fmadd_ps(
				_mm256_set1_ps((float)*w++),
				_mm256_loadu_ps(dct_matrix_t_f32[s % 8]), sum);
		_mm256_storeu_ps(*out, sum);
	}
}

/* ---- emission ---------------------------------------------------------- */

/* Eight rows of eight floats: rows become columns. */
static AVX2 ALWAYS_INLINE void
transpose8(__m256 r[8])
{
	__m256 t[8], s[8];

	for (u32 k = 0; k < 4; k++) {
		t[2 * k] = _mm256_unpacklo_ps(r[2 * k], r[2 * k + 1]);
		t[2 * k + 1] = _mm256_unpackhi_ps(r[2 * k], r[2 * k + 1]);
	}
	for (u32 k = 0; k < 2; k++) {
		s[4 * k] = _mm256_shuffle_ps(t[4 * k], t[4 * k + 2], 0x44);
		s[4 * k + 1] = _mm256_shuffle_ps(t[4 * k], t[4 * k + 2], 0xEE);
		s[4 * k + 2] =
			_mm256_shuffle_ps(t[4 * k + 1], t[4 * k + 3], 0x44);
		s[4 * k + 3] =
			_mm256_shuffle_ps(t[4 * k + 1], t[4 * k + 3], 0xEE);
	}
	for (u32 k = 0; k < 4; k++) {
		r[k] = _mm256_permute2f128_ps(s[k], s[k + 4], 0x20);
		r[k + 4] = _mm256_permute2f128_ps(s[k], s[k + 4], 0x31);
	}
}

/* Eight neighbours along a row of one channel. */
static AVX2 ALWAYS_INLINE void
store8(u8 *out, size_t at, u32 dtype, __m256 values)
{
	if (dtype == DCTLOAD_F32)
		_mm256_storeu_ps((float *)(void *)out + at, values);
	else
		_mm_storeu_si128((void *)((u16 *)(void *)out + at),
				 _mm256_cvtps_ph(values, 0));
}

/*
 * The channels of one vertical frequency, eight blocks at a time: the blocks'
 * rows are transposed, so that each register holds one channel.  The last eight
 * overlap those before if the number of blocks is no multiple of eight.
 */
static AVX2 ALWAYS_INLINE void
emit_row_freq(const struct emission *e, u32 dtype, u32 p, const float *from,
	      u32 first, u32 end, u32 num_cols, u32 num_col_freqs, bool samples)
{
	for (u32 q = 0; q < num_cols; q += 8) {
		__m256 r[8];

		q = min_u32(q, num_cols - 8);
		for (u32 k = 0; k < 8; k++)
			r[k] = _mm256_loadu_ps(from + (q + k) * num_col_freqs);
		transpose8(r);
		if (samples)
			dct8(r);
		for (u32 k = first; k < end; k++) {
			const __m256 scale = _mm256_broadcast_ss(&e->scale[k]);
			const __m256 offset =
				_mm256_broadcast_ss(&e->offset[k]);

			store8(e->out,
			       k * e->channel_stride + p * e->row_stride + q,
			       dtype,
			       _mm256_fmadd_ps(r[e->col_freq[k]], scale,
					       offset));
		}
	}
}

static AVX2 ALWAYS_INLINE void
emit_planar(const struct emission *e, u32 dtype, u32 p, const float *amplitudes,
	    size_t stride, u32 num_cols, u32 num_col_freqs, bool samples)
{
	u32 first = 0;

	while (first < e->num_channels) {
		const u32 row = e->row_freq[first];
		u32 end = first + 1;

		while (end < e->num_channels && e->row_freq[end] == row)
			end++;
		emit_row_freq(e, dtype, p, amplitudes + row * stride, first,
			      end, num_cols, num_col_freqs, samples);
		first = end;
	}
}

static bool
is_planar(const struct emission *e, u32 num_cols)
{
	return e->col_stride == 1 && num_cols >= 8 && e->dtype <= DCTLOAD_F16;
}

static AVX2 void
emit_avx2(const struct emission *e, u32 p, const float *amplitudes,
	  size_t stride, u32 num_cols, u32 num_col_freqs, bool samples)
{
	if (amplitudes == NULL || !is_planar(e, num_cols))
		emit_row(e, p, amplitudes, stride, num_cols, num_col_freqs);
	else if (e->dtype == DCTLOAD_F32)
		emit_planar(e, DCTLOAD_F32, p, amplitudes, stride, num_cols,
			    num_col_freqs, samples);
	else
		emit_planar(e, DCTLOAD_F16, p, amplitudes, stride, num_cols,
			    num_col_freqs, samples);
}

static const struct dct_kernels kernels = {
	.dequantize = dequantize_avx2,
	.along = along_avx2,
	.across = across_avx2,
	.matrix = matrix_avx2,
	.can_factor = true,
	.half = half_avx2,
	.across_factored = across_factored_avx2,
	.dct_rows = dct_rows_avx2,
	.dct_blocks = dct_blocks_avx2,
	.can_emit_samples = is_planar,
	.emit = emit_avx2,
};

const struct dct_kernels *const dct_kernels_avx2 = &kernels;

#else

const struct dct_kernels *const dct_kernels_avx2 = NULL;

#endif /* ARCH_X86_64 */

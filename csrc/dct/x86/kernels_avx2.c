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
along_pieces(float *z, size_t stride, const float *x, const float *rows,
	     const struct along_piece *pieces, u32 num, u32 extent, u32 width)
{
	for (u32 n = 0; n < num; n++) {
		const float *in = x + pieces[n].x_at;
		const float *m = rows + pieces[n].rows_at;
		const size_t m_stride = pieces[n].rows_stride;
		float *out = z + pieces[n].z_at;
		__m256 acc[4][2];

		for (u32 v = 0; v < 4; v++)
			for (u32 w = 0; w < width; w++)
				acc[v][w] = _mm256_mul_ps(
					_mm256_broadcast_ss(in + 8 * v),
					_mm256_loadu_ps(m + 8 * w));
		for (u32 u = 1; u < extent; u++)
			for (u32 v = 0; v < 4; v++)
				for (u32 w = 0; w < width; w++)
					acc[v][w] = _mm256_fmadd_ps(
						_mm256_broadcast_ss(in + 8 * v +
								    u),
						_mm256_loadu_ps(m +
								u * m_stride +
								8 * w),
						acc[v][w]);
		for (u32 v = 0; v < 4; v++)
			for (u32 w = 0; w < width; w++) {
				float *const p = out + v * stride + 8 * w;

				_mm256_storeu_ps(
					p, _mm256_add_ps(_mm256_loadu_ps(p),
							 acc[v][w]));
			}
	}
}

/* Extents 1..8 are rounded up to 2, 4, 6 and 8: fewer branches, sorted. */
static AVX2 u32
along_sort(struct along_lists *lists, size_t stride, const u8 *extents,
	   const struct axis_op *op)
{
	u32 seen[2] = { 0 };

	memset(lists->num, 0, sizeof(lists->num));
	for (u32 half = 2 * op->first_in; half < 2 * op->end_in; half++) {
		const struct axis_column *const col = &op->columns[half / 2];
		const u32 extent = extents[half];
		const u32 class = (extent - 1) / 2;
		struct along_piece piece;
		struct along_piece *list;

		seen[half % 2] |= extent;
		if (extent == 0 || col->num_vecs == 0)
			continue;
		piece.x_at = half * 32;
		piece.rows_at = (u32)col->at;
		piece.z_at = (u32)(half % 2 * 4 * stride) + col->first;
		piece.rows_stride = col->num_vecs * VEC_FLOATS;
		list = lists->pieces + 2 * class * lists->capacity;
		for (u32 w = col->num_vecs; w > 1; w -= 2) {
			list[lists->capacity + lists->num[class][1]++] = piece;
			piece.rows_at += 2 * VEC_FLOATS;
			piece.z_at += 2 * VEC_FLOATS;
		}
		if (col->num_vecs % 2 != 0)
			list[lists->num[class][0]++] = piece;
	}
	return (u32)(seen[0] != 0) | (u32)(seen[1] != 0) << 1;
}

static AVX2 void
along_avx2(float *z, size_t stride, const float *x, const u8 *extents,
	   const struct axis_op *op, struct along_lists *lists,
	   u32 *nonzero_ret)
{
	const struct along_piece *p = lists->pieces;
	const size_t cap = lists->capacity;

	memset(z, 0, 8 * stride * sizeof(*z));
	*nonzero_ret = along_sort(lists, stride, extents, op);
	if (p == NULL)
		return; /* a row of zeros, and no list was ever needed */
#define RUN(class, width)                                   \
	along_pieces(z, stride, x, op->rows,                \
		     p + (2 * (class) + (width) - 1) * cap, \
		     lists->num[class][(width) - 1], 2 * (class) + 2, width)
	RUN(0, 1);
	RUN(0, 2);
	RUN(1, 1);
	RUN(1, 2);
	RUN(2, 1);
	RUN(2, 2);
	RUN(3, 1);
	RUN(3, 2);
#undef RUN
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
	      u32 first, u32 end, u32 num_cols, u32 num_col_freqs)
{
	for (u32 q = 0; q < num_cols; q += 8) {
		__m256 r[8];

		q = min_u32(q, num_cols - 8);
		for (u32 k = 0; k < 8; k++)
			r[k] = _mm256_loadu_ps(from + (q + k) * num_col_freqs);
		transpose8(r);
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
	    size_t stride, u32 num_cols, u32 num_col_freqs)
{
	u32 first = 0;

	while (first < e->num_channels) {
		const u32 row = e->row_freq[first];
		u32 end = first + 1;

		while (end < e->num_channels && e->row_freq[end] == row)
			end++;
		emit_row_freq(e, dtype, p, amplitudes + row * stride, first,
			      end, num_cols, num_col_freqs);
		first = end;
	}
}

static AVX2 void
emit_avx2(const struct emission *e, u32 p, const float *amplitudes,
	  size_t stride, u32 num_cols, u32 num_col_freqs)
{
	if (amplitudes == NULL || e->col_stride != 1 || num_cols < 8 ||
	    e->dtype > DCTLOAD_F16)
		emit_row(e, p, amplitudes, stride, num_cols, num_col_freqs);
	else if (e->dtype == DCTLOAD_F32)
		emit_planar(e, DCTLOAD_F32, p, amplitudes, stride, num_cols,
			    num_col_freqs);
	else
		emit_planar(e, DCTLOAD_F16, p, amplitudes, stride, num_cols,
			    num_col_freqs);
}

static const struct dct_kernels kernels = {
	.dequantize = dequantize_avx2,
	.along = along_avx2,
	.across = across_avx2,
	.matrix = matrix_avx2,
	.emit = emit_avx2,
};

const struct dct_kernels *const dct_kernels_avx2 = &kernels;

#else

const struct dct_kernels *const dct_kernels_avx2 = NULL;

#endif /* ARCH_X86_64 */

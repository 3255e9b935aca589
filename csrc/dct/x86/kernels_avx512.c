/* SPDX-License-Identifier: MIT */
/* kernels_avx512.c - the inner loops with AVX-512 F, BW, DQ and VL */

#include "../kernels.h"

#if ARCH_X86_64

#include <immintrin.h>

#define KERNEL                                                               \
	TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,lzcnt," \
	       "prfchw")
#define LANES 16

typedef __m512 vec;

static KERNEL ALWAYS_INLINE vec
load(const float *p)
{
	return _mm512_loadu_ps(p);
}

static KERNEL ALWAYS_INLINE void
store(float *p, vec x)
{
	_mm512_storeu_ps(p, x);
}

static KERNEL ALWAYS_INLINE vec
load8(const float *p)
{
	return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}

static KERNEL ALWAYS_INLINE vec
load_steps(const s16 *const blocks[2], u32 v)
{
	const __m256i both = _mm256_inserti128_si256(
		_mm256_castsi128_si256(
			_mm_loadu_si128((const void *)(blocks[0] + 8 * v))),
		_mm_loadu_si128((const void *)(blocks[1] + 8 * v)), 1);

	return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(both));
}

static KERNEL ALWAYS_INLINE bool
is_deep(const s16 *const blocks[2])
{
	const __m512i any = _mm512_or_si512(_mm512_loadu_si512(blocks[0] + 32),
					    _mm512_loadu_si512(blocks[1] + 32));

	return _mm512_test_epi16_mask(any, any) != 0;
}

/* Rows k, k + 4, k + 8 and k + 12 of four floats each. */
static KERNEL ALWAYS_INLINE __m512
load_quarters(const float *p, size_t stride)
{
	__m512 x = _mm512_castps128_ps512(_mm_loadu_ps(p));

	x = _mm512_mask_broadcast_f32x4(x, 0x00F0,
					_mm_loadu_ps(p + 4 * stride));
	x = _mm512_mask_broadcast_f32x4(x, 0x0F00,
					_mm_loadu_ps(p + 8 * stride));
	return _mm512_mask_broadcast_f32x4(x, 0xF000,
					   _mm_loadu_ps(p + 12 * stride));
}

/* In each quarter, 4 x 4 floats. */
static KERNEL ALWAYS_INLINE void
transpose_quarters(__m512 x[4])
{
	const __m512 a = _mm512_unpacklo_ps(x[0], x[1]);
	const __m512 b = _mm512_unpackhi_ps(x[0], x[1]);
	const __m512 c = _mm512_unpacklo_ps(x[2], x[3]);
	const __m512 d = _mm512_unpackhi_ps(x[2], x[3]);

	x[0] = _mm512_shuffle_ps(a, c, 0x44);
	x[1] = _mm512_shuffle_ps(a, c, 0xEE);
	x[2] = _mm512_shuffle_ps(b, d, 0x44);
	x[3] = _mm512_shuffle_ps(b, d, 0xEE);
}

static KERNEL ALWAYS_INLINE void
load_transposed(vec x[8], const float *tile, size_t stride)
{
	for (u32 half = 0; half < 8; half += 4) {
		for (u32 k = 0; k < 4; k++)
			x[half + k] =
				load_quarters(tile + half + k * stride, stride);
		transpose_quarters(x + half);
	}
}

static KERNEL ALWAYS_INLINE void
transpose(vec x[16])
{
	__m512 t[16];

	for (u32 k = 0; k < 16; k += 4)
		transpose_quarters(x + k);
	/* Quarter b of x[4 a + k] belongs to quarter a of x[4 b + k]. */
	for (u32 k = 0; k < 4; k++) {
		t[k] = _mm512_shuffle_f32x4(x[k], x[4 + k], 0x88);
		t[4 + k] = _mm512_shuffle_f32x4(x[k], x[4 + k], 0xDD);
		t[8 + k] = _mm512_shuffle_f32x4(x[8 + k], x[12 + k], 0x88);
		t[12 + k] = _mm512_shuffle_f32x4(x[8 + k], x[12 + k], 0xDD);
	}
	for (u32 k = 0; k < 4; k++) {
		x[k] = _mm512_shuffle_f32x4(t[k], t[8 + k], 0x88);
		x[4 + k] = _mm512_shuffle_f32x4(t[4 + k], t[12 + k], 0x88);
		x[8 + k] = _mm512_shuffle_f32x4(t[k], t[8 + k], 0xDD);
		x[12 + k] = _mm512_shuffle_f32x4(t[4 + k], t[12 + k], 0xDD);
	}
}

/* The upper halves of floats, rounded to nearest even. */
static KERNEL ALWAYS_INLINE __m256i
to_bf16(vec x)
{
	const __m512i bits = _mm512_castps_si512(x);
	const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16),
					      _mm512_set1_epi32(1));
	const __m512i rounded = _mm512_add_epi32(
		bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7FFF)));
	const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
	const __m512i quiet =
		_mm512_or_si512(bits, _mm512_set1_epi32(0x400000));

	return _mm512_cvtepi32_epi16(_mm512_srli_epi32(
		_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
}

/* The first 'n' as elements of 'dtype', which is a float of some size. */
static KERNEL ALWAYS_INLINE void
store_cast(void *out, u32 dtype, vec x, u32 n)
{
	const __mmask16 mask = (__mmask16)(0xFFFF >> (16 - n));

	if (dtype == DCTLOAD_F32)
		_mm512_mask_storeu_ps(out, mask, x);
	else
		_mm256_mask_storeu_epi16(out, mask,
					 dtype == DCTLOAD_F16 ?
						 _mm512_cvtps_ph(x, 0) :
						 to_bf16(x));
}

#include "../kernels_template.h"

const struct dct_kernels *const dct_kernels_avx512 = &kernels;

#else

const struct dct_kernels *const dct_kernels_avx512 = NULL;

#endif /* ARCH_X86_64 */

/* SPDX-License-Identifier: MIT */
/* kernels_avx2.c - the inner loops with AVX2, FMA and F16C */

#include "../kernels.h"

#if ARCH_X86_64

#include <immintrin.h>

#define KERNEL TARGET("avx2,fma,f16c,bmi,lzcnt,prfchw")
#define LANES 8

typedef __m256 vec;

static KERNEL ALWAYS_INLINE vec
load(const float *p)
{
	return _mm256_loadu_ps(p);
}

static KERNEL ALWAYS_INLINE void
store(float *p, vec x)
{
	_mm256_storeu_ps(p, x);
}

static KERNEL ALWAYS_INLINE vec
load8(const float *p)
{
	return _mm256_loadu_ps(p);
}

static KERNEL ALWAYS_INLINE vec
load_steps(const s16 *const blocks[1], u32 v)
{
	return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(
		_mm_loadu_si128((const void *)(blocks[0] + 8 * v))));
}

static KERNEL ALWAYS_INLINE bool
is_deep(const s16 *const blocks[1])
{
	const __m256i any = _mm256_or_si256(
		_mm256_loadu_si256((const void *)(blocks[0] + 32)),
		_mm256_loadu_si256((const void *)(blocks[0] + 48)));

	return !_mm256_testz_si256(any, any);
}

static KERNEL ALWAYS_INLINE void
transpose(vec r[8])
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

static KERNEL ALWAYS_INLINE void
load_transposed(vec x[8], const float *tile, size_t stride)
{
	for (u32 k = 0; k < 8; k++)
		x[k] = load(tile + k * stride);
	transpose(x);
}

/* The upper halves of floats, rounded to nearest even. */
static KERNEL ALWAYS_INLINE __m128i
to_bf16(vec x)
{
	const __m256i bits = _mm256_castps_si256(x);
	const __m256i even = _mm256_and_si256(_mm256_srli_epi32(bits, 16),
					      _mm256_set1_epi32(1));
	const __m256i rounded = _mm256_add_epi32(
		bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7FFF)));
	const __m256i nan =
		_mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
	const __m256i quiet =
		_mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
	const __m256i upper =
		_mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);

	return _mm_packus_epi32(_mm256_castsi256_si128(upper),
				_mm256_extracti128_si256(upper, 1));
}

/* The first 'n' as elements of 'dtype', which is a float of some size. */
static KERNEL ALWAYS_INLINE void
store_cast(void *out, u32 dtype, vec x, u32 n)
{
	u8 bytes[32];

	if (dtype == DCTLOAD_F32)
		_mm256_storeu_ps(n == 8 ? out : (void *)bytes, x);
	else
		_mm_storeu_si128(n == 8 ? out : (void *)bytes,
				 dtype == DCTLOAD_F16 ? _mm256_cvtps_ph(x, 0) :
							to_bf16(x));
	if (n != 8)
		memcpy(out, bytes, n * (dtype == DCTLOAD_F32 ? 4 : 2));
}

#include "../kernels_template.h"

const struct dct_kernels *const dct_kernels_avx2 = &kernels;

#else

const struct dct_kernels *const dct_kernels_avx2 = NULL;

#endif /* ARCH_X86_64 */

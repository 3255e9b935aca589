/* SPDX-License-Identifier: MIT */
/* pixel_kernels_avx2.c - operations on samples with AVX2 and FMA */

#include "../kernels.h"
#include "../pixel_kernels.h"

#if ARCH_X86_64

#include <immintrin.h>

#define KERNEL TARGET("avx2,fma")
#define LANES 8

typedef __m256 vec;
typedef s32 ivec __attribute__((vector_size(32)));
typedef u32 uvec __attribute__((vector_size(32)));
typedef u64 half_u64 __attribute__((vector_size(32)));

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
vmin(vec a, vec b)
{
	return _mm256_min_ps(a, b);
}

static KERNEL ALWAYS_INLINE vec
vmax(vec a, vec b)
{
	return _mm256_max_ps(a, b);
}

static KERNEL ALWAYS_INLINE vec
choose(ivec mask, vec a, vec b)
{
	return _mm256_blendv_ps(b, a, (vec)mask);
}

static KERNEL ALWAYS_INLINE ivec
nearest(vec x)
{
	return (ivec)_mm256_cvtps_epi32(x);
}

static KERNEL ALWAYS_INLINE vec
root(vec x)
{
	return _mm256_sqrt_ps(x);
}

static KERNEL ALWAYS_INLINE vec
spread(vec x, u32 half)
{
	const __m256i lower = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);

	return _mm256_permutevar8x32_ps(
		x, half == 0 ? lower :
			       _mm256_add_epi32(lower, _mm256_set1_epi32(4)));
}

/* In the order of 64-bit pieces 0, 2, 1, 3: what AVX's halves do. */
static KERNEL ALWAYS_INLINE vec
in_order(vec x)
{
	return _mm256_castpd_ps(
		_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xD8));
}

static KERNEL ALWAYS_INLINE vec
add_pairs(vec a, vec b)
{
	return in_order(_mm256_hadd_ps(a, b));
}

static KERNEL ALWAYS_INLINE vec
move_up(vec a, vec b)
{
	const __m256i middle =
		_mm256_castps_si256(_mm256_permute2f128_ps(a, b, 0x21));

	return _mm256_castsi256_ps(
		_mm256_alignr_epi8(_mm256_castps_si256(b), middle, 12));
}

static KERNEL ALWAYS_INLINE vec
move_down(vec a, vec b)
{
	const __m256i middle =
		_mm256_castps_si256(_mm256_permute2f128_ps(a, b, 0x21));

	return _mm256_castsi256_ps(
		_mm256_alignr_epi8(middle, _mm256_castps_si256(a), 4));
}

static KERNEL ALWAYS_INLINE void
interleave(vec a, vec b, vec out[2])
{
	const vec lo = _mm256_unpacklo_ps(a, b), hi = _mm256_unpackhi_ps(a, b);

	out[0] = _mm256_permute2f128_ps(lo, hi, 0x20);
	out[1] = _mm256_permute2f128_ps(lo, hi, 0x31);
}

static KERNEL ALWAYS_INLINE void
split(half_u64 a, half_u64 b, uvec *hi, uvec *lo)
{
	const vec x = (vec)a, y = (vec)b;

	*hi = (uvec)in_order(_mm256_shuffle_ps(x, y, 0xDD));
	*lo = (uvec)in_order(_mm256_shuffle_ps(x, y, 0x88));
}

static KERNEL ALWAYS_INLINE vec
look_up(const float *table, ivec i)
{
	return _mm256_i32gather_ps(table, (__m256i)i, 4);
}

/* As pairs of 64 bits, in half as many loads. */
static KERNEL ALWAYS_INLINE void
look_up_pairs(const float *table, ivec i, vec *first, vec *second)
{
	const __m256i index = (__m256i)i;
	const vec a = _mm256_castpd_ps(_mm256_i32gather_pd(
		(const void *)table, _mm256_castsi256_si128(index), 4));
	const vec b = _mm256_castpd_ps(_mm256_i32gather_pd(
		(const void *)table, _mm256_extracti128_si256(index, 1), 4));

	*first = in_order(_mm256_shuffle_ps(a, b, 0x88));
	*second = in_order(_mm256_shuffle_ps(a, b, 0xDD));
}

static KERNEL ALWAYS_INLINE void
store_bytes(u8 *p, ivec i)
{
	const __m256i words = _mm256_packus_epi32((__m256i)i, (__m256i)i);
	const __m256i bytes = _mm256_packus_epi16(words, words);

	_mm_storel_epi64(
		(void *)p,
		_mm_unpacklo_epi32(_mm256_castsi256_si128(bytes),
				   _mm256_extracti128_si256(bytes, 1)));
}

static KERNEL ALWAYS_INLINE vec
load_bytes(const u8 *p)
{
	return _mm256_cvtepi32_ps(
		_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p)));
}

/* One by one is all that there is. */
static KERNEL ALWAYS_INLINE size_t
map_vectors(u8 *levels, const u8 table[256], size_t num)
{
	(void)levels, (void)table, (void)num;
	return 0;
}

static KERNEL ALWAYS_INLINE vec
load8(const float *p)
{
	return load(p);
}

static KERNEL ALWAYS_INLINE vec
spread8(vec x, u32 k)
{
	return _mm256_permutevar8x32_ps(x, _mm256_set1_epi32((s32)k));
}

#include "../dct_template.h"
#include "../pixel_template.h"

const struct pixel_kernels *const pixel_kernels_avx2 = &kernels;

#else

const struct pixel_kernels *const pixel_kernels_avx2 = NULL;

#endif /* ARCH_X86_64 */

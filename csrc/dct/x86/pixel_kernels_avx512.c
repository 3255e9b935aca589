/* SPDX-License-Identifier: MIT */
/* pixel_kernels_avx512.c - operations on samples with AVX-512 F, BW, DQ and VL */

#include "../../cpu.h"
#include "../kernels.h"
#include "../pixel_kernels.h"

#if ARCH_X86_64

#include <immintrin.h>

#define KERNEL TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#define LANES 16

typedef __m512 vec;
typedef s32 ivec __attribute__((vector_size(64)));
typedef u32 uvec __attribute__((vector_size(64)));
typedef u64 half_u64 __attribute__((vector_size(64)));

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
vmin(vec a, vec b)
{
	return _mm512_min_ps(a, b);
}

static KERNEL ALWAYS_INLINE vec
vmax(vec a, vec b)
{
	return _mm512_max_ps(a, b);
}

static KERNEL ALWAYS_INLINE vec
choose(ivec mask, vec a, vec b)
{
	return (vec)_mm512_ternarylogic_epi32((__m512i)mask, (__m512i)a,
					      (__m512i)b, 0xCA);
}

static KERNEL ALWAYS_INLINE ivec
nearest(vec x)
{
	return (ivec)_mm512_cvtps_epi32(x);
}

static KERNEL ALWAYS_INLINE vec
root(vec x)
{
	return _mm512_sqrt_ps(x);
}

/* 0, 1, ..., 15 times 'step', from 'first' on. */
static KERNEL ALWAYS_INLINE __m512i
counted(s32 first, s32 step)
{
	ivec x;

	for (s32 k = 0; k < LANES; k++)
		x[k] = first + k * step;
	return (__m512i)x;
}

static KERNEL ALWAYS_INLINE vec
spread(vec x, u32 half)
{
	return _mm512_permutexvar_ps(
		_mm512_srli_epi32(counted(16 * (s32)half, 1), 1), x);
}

static KERNEL ALWAYS_INLINE vec
add_pairs(vec a, vec b)
{
	return _mm512_add_ps(_mm512_permutex2var_ps(a, counted(0, 2), b),
			     _mm512_permutex2var_ps(a, counted(1, 2), b));
}

static KERNEL ALWAYS_INLINE vec
move_up(vec a, vec b)
{
	return (vec)_mm512_alignr_epi32((__m512i)b, (__m512i)a, 15);
}

static KERNEL ALWAYS_INLINE vec
move_down(vec a, vec b)
{
	return (vec)_mm512_alignr_epi32((__m512i)b, (__m512i)a, 1);
}

static KERNEL ALWAYS_INLINE void
interleave(vec a, vec b, vec out[2])
{
	for (u32 k = 0; k < 2; k++) {
		ivec from;

		for (s32 i = 0; i < LANES; i++)
			from[i] = i / 2 + i % 2 * LANES + (s32)k * LANES / 2;
		out[k] = _mm512_permutex2var_ps(a, (__m512i)from, b);
	}
}

static KERNEL ALWAYS_INLINE void
split(half_u64 a, half_u64 b, uvec *hi, uvec *lo)
{
	*hi = (uvec)_mm512_permutex2var_epi32((__m512i)a, counted(1, 2),
					      (__m512i)b);
	*lo = (uvec)_mm512_permutex2var_epi32((__m512i)a, counted(0, 2),
					      (__m512i)b);
}

static KERNEL ALWAYS_INLINE vec
look_up(const float *table, ivec i)
{
	return _mm512_i32gather_ps((__m512i)i, table, 4);
}

/* As pairs of 64 bits, in half as many loads. */
static KERNEL ALWAYS_INLINE void
look_up_pairs(const float *table, ivec i, vec *first, vec *second)
{
	const __m512i index = (__m512i)i;
	const vec a = _mm512_castpd_ps(_mm512_i32gather_pd(
		_mm512_castsi512_si256(index), (const void *)table, 4));
	const vec b = _mm512_castpd_ps(_mm512_i32gather_pd(
		_mm512_extracti64x4_epi64(index, 1), (const void *)table, 4));

	*first = _mm512_permutex2var_ps(a, counted(0, 2), b);
	*second = _mm512_permutex2var_ps(a, counted(1, 2), b);
}

static KERNEL ALWAYS_INLINE void
store_bytes(u8 *p, ivec i)
{
	_mm_storeu_si128((void *)p, _mm512_cvtepi32_epi8((__m512i)i));
}

static KERNEL ALWAYS_INLINE vec
load_bytes(const u8 *p)
{
	return _mm512_cvtepi32_ps(
		_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)));
}

/* The whole table in four registers. */
static TARGET("avx512f,avx512bw,avx512vbmi") void map_with_vbmi(
	u8 *levels, const u8 table[256], size_t num)
{
	__m512i part[4];

	memcpy(part, table, sizeof(part));
	for (size_t i = 0; i < num; i += sizeof(part[0])) {
		const __m512i at = _mm512_loadu_si512(levels + i);
		const __m512i low =
			_mm512_permutex2var_epi8(part[0], at, part[1]);
		const __m512i high =
			_mm512_permutex2var_epi8(part[2], at, part[3]);

		_mm512_storeu_si512(
			levels + i,
			_mm512_mask_mov_epi8(low, _mm512_movepi8_mask(at),
					     high));
	}
}

static size_t
map_vectors(u8 *levels, const u8 table[256], size_t num)
{
	const size_t whole = cpu_has(CPU_VBMI) ? num / 64 * 64 : 0;

	map_with_vbmi(levels, table, whole);
	return whole;
}

static KERNEL ALWAYS_INLINE vec
load8(const float *p)
{
	return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}

static KERNEL ALWAYS_INLINE vec
spread8(vec x, u32 k)
{
	const __m512i second =
		_mm512_and_si512(counted(0, 1), _mm512_set1_epi32(8));

	return _mm512_permutexvar_ps(
		_mm512_add_epi32(second, _mm512_set1_epi32((s32)k)), x);
}

#include "../dct_template.h"
#include "../pixel_template.h"

const struct pixel_kernels *const pixel_kernels_avx512 = &kernels;

#else

const struct pixel_kernels *const pixel_kernels_avx512 = NULL;

#endif /* ARCH_X86_64 */

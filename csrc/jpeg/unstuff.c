/* SPDX-License-Identifier: MIT */
/*
 * unstuff.c - one pass that removes stuffing and finds markers
 *
 * About one vector in eight holds a 0xFF, so the loop copies whole vectors and
 * looks closer only at those.  Doing this first keeps every later bit refill
 * free of branches.
 */

#include "unstuff.h"

#include "../cpu.h"

#if ARCH_X86_64
#include <immintrin.h>
#elif ARCH_ARM64
#include <arm_neon.h>
#endif

/*
 * 'in' points at a 0xFF.  If it is data, return the byte after its stuffing and
 * store it to '*out'; else return NULL.  Several 0xFF before a zero are fill
 * bytes and one data byte, as in libjpeg.
 */
static const u8 *
pass_ff(const u8 *in, const u8 *end, u8 *out)
{
	const u8 *p = in + 1;

	while (p != end && *p == 0xFF)
		p++;
	if (p == end || *p != 0x00)
		return NULL;
	*out = 0xFF;
	return p + 1;
}

/* Byte by byte: the end of every segment, and CPUs without vectors. */
static size_t
unstuff_bytes(const u8 **in, const u8 *end, u8 *const out)
{
	const u8 *p = *in;
	u8 *q = out;

	while (p != end) {
		const u8 *after;

		if (*p != 0xFF) {
			*q++ = *p++;
			continue;
		}
		after = pass_ff(p, end, q);
		if (after == NULL)
			break;
		p = after;
		q++;
	}
	*in = p;
	return (size_t)(q - out);
}

#if ARCH_X86_64
static TARGET("avx2") size_t
	unstuff_avx2(const u8 **in, const u8 *end, u8 *const out)
{
	const __m256i ff = _mm256_set1_epi8(-1);
	const u8 *p = *in;
	u8 *q = out;

	while (end - p >= 32) {
		const __m256i v = _mm256_loadu_si256((const __m256i *)p);
		const u32 mask =
			(u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, ff));
		const u8 *after;
		u32 n;

		_mm256_storeu_si256((__m256i *)q, v);
		if (likely(mask == 0)) {
			p += 32;
			q += 32;
			continue;
		}
		n = (u32)__builtin_ctz(mask);
		p += n;
		q += n;
		after = pass_ff(p, end, q);
		if (after == NULL) {
			*in = p;
			return (size_t)(q - out);
		}
		p = after;
		q++;
	}
	*in = p;
	return (size_t)(q - out) + unstuff_bytes(in, end, q);
}
#elif ARCH_ARM64
/* Four bits for each byte that is 0xFF: there is no mask of one bit each. */
static ALWAYS_INLINE u64
find_ff_neon(uint8x16_t v)
{
	const uint16x8_t equal =
		vreinterpretq_u16_u8(vceqq_u8(v, vdupq_n_u8(0xFF)));

	return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(equal, 4)), 0);
}

static size_t
unstuff_neon(const u8 **in, const u8 *end, u8 *const out)
{
	const u8 *p = *in;
	u8 *q = out;

	while (end - p >= 16) {
		const uint8x16_t v = vld1q_u8(p);
		const u64 mask = find_ff_neon(v);
		const u8 *after;
		u32 n;

		vst1q_u8(q, v);
		if (likely(mask == 0)) {
			p += 16;
			q += 16;
			continue;
		}
		n = (u32)__builtin_ctzll(mask) / 4;
		p += n;
		q += n;
		after = pass_ff(p, end, q);
		if (after == NULL) {
			*in = p;
			return (size_t)(q - out);
		}
		p = after;
		q++;
	}
	*in = p;
	return (size_t)(q - out) + unstuff_bytes(in, end, q);
}
#endif

size_t
unstuff_segment(const u8 **in, const u8 *end, u8 *out)
{
#if ARCH_X86_64
	if (cpu_has(CPU_AVX2))
		return unstuff_avx2(in, end, out);
#elif ARCH_ARM64
	if (cpu_has(CPU_NEON))
		return unstuff_neon(in, end, out);
#endif
	return unstuff_bytes(in, end, out);
}

const u8 *
unstuff_find_marker(const u8 *in, const u8 *end)
{
	u8 ignored;

	while ((in = memchr(in, 0xFF, (size_t)(end - in))) != NULL) {
		const u8 *const after = pass_ff(in, end, &ignored);

		if (after == NULL)
			return in;
		in = after;
	}
	return end;
}

const u8 *
unstuff_locate(const u8 *in, const u8 *end, size_t index)
{
	u8 ignored;

	while (in != end && index-- != 0) {
		const u8 *const after =
			*in == 0xFF ? pass_ff(in, end, &ignored) : in + 1;

		if (after == NULL)
			break;
		in = after;
	}
	return in;
}

/* SPDX-License-Identifier: MIT */
/* staging.c - output that is made in cache and then written past it */

#include "../cpu.h"
#include "resample.h"
#include "staging.h"

#if ARCH_X86_64
#include <immintrin.h>
#endif

/* Half of a common L2. */
#define MAX_STAGED_NBYTES ((size_t)1 << 20)

#if ARCH_X86_64
#define LINE_NBYTES 64

/* Whole lines; 'dst' is aligned to them. */
static TARGET("avx512f") void stream_lines_avx512(u8 *dst, const u8 *src,
						  size_t nbytes)
{
	for (size_t i = 0; i < nbytes; i += LINE_NBYTES)
		_mm512_stream_si512((void *)(dst + i),
				    _mm512_loadu_si512(src + i));
}

static void
stream_lines_sse2(u8 *dst, const u8 *src, size_t nbytes)
{
	for (size_t i = 0; i < nbytes; i += sizeof(__m128i))
		_mm_stream_si128(
			(__m128i *)(void *)(dst + i),
			_mm_loadu_si128(
				(const __m128i *)(const void *)(src + i)));
}

static void
stream(u8 *dst, const u8 *src, size_t nbytes)
{
	const size_t head =
		min_u32(-(u32)(uintptr_t)dst % LINE_NBYTES, (u32)nbytes);
	const size_t lines = (nbytes - head) / LINE_NBYTES * LINE_NBYTES;

	memcpy(dst, src, head);
	if (cpu_has(CPU_AVX512))
		stream_lines_avx512(dst + head, src + head, lines);
	else
		stream_lines_sse2(dst + head, src + head, lines);
	memcpy(dst + head + lines, src + head + lines, nbytes - head - lines);
	_mm_sfence();
}
#else
static void
stream(u8 *dst, const u8 *src, size_t nbytes)
{
	memcpy(dst, src, nbytes);
}
#endif

void
staging_begin(struct staging *staging, struct emission *e)
{
	staging->out = NULL;
	if (e->nbytes == 0 || e->nbytes > MAX_STAGED_NBYTES ||
	    !grow((void **)&staging->memory, &staging->capacity, e->nbytes, 1))
		return;
	staging->out = e->out;
	e->out = staging->memory;
}

void
staging_end(struct staging *staging, struct emission *e)
{
	if (staging->out == NULL)
		return;
	stream(staging->out, staging->memory, e->nbytes);
	e->out = staging->out;
}

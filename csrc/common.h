/* SPDX-License-Identifier: MIT */
/* common.h - every compiler difference, and the few words used everywhere */
#ifndef DCTLOAD_COMMON_H
#define DCTLOAD_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dctload.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define BLOCK_COEFS 64
#define BLOCK_NBYTES (BLOCK_COEFS * sizeof(s16))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define STATIC_ASSERT(expr) _Static_assert((expr), #expr)

#define likely(expr) __builtin_expect(!!(expr), 1)
#define unlikely(expr) __builtin_expect(!!(expr), 0)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define TARGET(features) __attribute__((target(features)))

#if defined(__x86_64__)
#define ARCH_X86_64 1
#else
#define ARCH_X86_64 0
#endif
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH_ARM64 1
#else
#define ARCH_ARM64 0
#endif

/* Read eight bytes, the first in the highest bits; 'p' need not be aligned. */
static ALWAYS_INLINE u64
load_be64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static ALWAYS_INLINE void
store_be64(u8 *p, u64 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static ALWAYS_INLINE u32
load_be16(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}

static ALWAYS_INLINE u32
min_u32(u32 a, u32 b)
{
	return a < b ? a : b;
}

static ALWAYS_INLINE u32
max_u32(u32 a, u32 b)
{
	return a > b ? a : b;
}

static ALWAYS_INLINE u32
ceil_div_u32(u32 a, u32 b)
{
	return a / b + (a % b != 0);
}

#endif /* DCTLOAD_COMMON_H */

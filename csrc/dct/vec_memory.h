/* SPDX-License-Identifier: MIT */
/*
 * vec_memory.h - unaligned loads and stores of 'vec', where that is a vector of the
 * compiler's own and no intrinsics are needed
 */
#ifndef DCTLOAD_VEC_MEMORY_H
#define DCTLOAD_VEC_MEMORY_H

#include "../common.h"

static ALWAYS_INLINE vec
load(const float *p)
{
	vec x;

	memcpy(&x, p, sizeof(x));
	return x;
}

static ALWAYS_INLINE void
store(float *p, vec x)
{
	memcpy(p, &x, sizeof(x));
}

#endif /* DCTLOAD_VEC_MEMORY_H */

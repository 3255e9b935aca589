/* SPDX-License-Identifier: MIT */
/* pixel_kernels_avx2.c - the same loops with AVX2 and FMA */

#include "../kernels.h"
#include "../pixel_kernels.h"

#if ARCH_X86_64

#define KERNEL static TARGET("avx2,fma")
#include "../pixel_template.h"

const struct pixel_kernels *const pixel_kernels_avx2 = &kernels;

#else

const struct pixel_kernels *const pixel_kernels_avx2 = NULL;

#endif /* ARCH_X86_64 */

/* SPDX-License-Identifier: MIT */
/* pixel_kernels.c - the portable variant, and the choice */

#include "../cpu.h"
#include "kernels.h"
#include "pixel_kernels.h"

/* cos(k pi / 16) / 2 for k = 1..7. */
#define C1 0.49039264020161522f
#define C2 0.46193976625564337f
#define C3 0.41573480615127262f
#define C4 0.35355339059327376f
#define C5 0.27778511650980111f
#define C6 0.19134171618254489f
#define C7 0.09754516100806413f

const float dct_basis_f32[8][8] = {
	{ C4, C4, C4, C4, C4, C4, C4, C4 },
	{ C1, C3, C5, C7, -C7, -C5, -C3, -C1 },
	{ C2, C6, -C6, -C2, -C2, -C6, C6, C2 },
	{ C3, -C7, -C1, -C5, C5, C1, C7, -C3 },
	{ C4, -C4, -C4, C4, C4, -C4, -C4, C4 },
	{ C5, -C1, C7, C3, -C3, -C7, C1, -C5 },
	{ C6, -C2, C2, -C6, -C6, C2, -C2, C6 },
	{ C7, -C5, C3, -C1, C1, -C3, C5, -C7 },
};

/* Of AArch64 too: its vectors need no permission, and compilers use them. */
#define KERNEL static
#include "pixel_template.h"

const struct pixel_kernels *
pixel_kernels(void)
{
	if (pixel_kernels_avx2 != NULL && cpu_has(CPU_AVX2) && cpu_has(CPU_FMA))
		return pixel_kernels_avx2;
	return &kernels;
}

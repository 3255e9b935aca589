/* SPDX-License-Identifier: MIT */
/* cpu.h - what this CPU can do, less what the user switched off */
#ifndef DCTLOAD_CPU_H
#define DCTLOAD_CPU_H

#include "common.h"

enum cpu_feature {
	CPU_BMI2 = 1, /* BMI1 and MOVBE too */
	CPU_AVX2 = 2,
	CPU_FMA = 4,
	CPU_F16C = 8,
	CPU_AVX512 = 16, /* F, BW, DQ, VL */
	CPU_NEON = 32,
	CPU_PDEP = 64, /* of BMI2, where it is fast */
	CPU_VBMI = 128 /* of AVX-512 */
};

/*
 * True if this CPU has 'feature' and the environment variable
 * DCTLOAD_DISABLE_CPU, a list such as "bmi2,avx2" read at the first call, does
 * not name it.  For any thread.
 */
bool cpu_has(enum cpu_feature feature);

/*
 * From now on use nothing but what 'mask' has too, to compare the variants in
 * one process.  Not while another thread uses the library.
 */
void cpu_set_mask_for_tests(u32 mask);

#endif /* DCTLOAD_CPU_H */

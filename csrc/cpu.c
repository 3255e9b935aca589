/* SPDX-License-Identifier: MIT */
/* cpu.c - run-time detection of CPU features */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

#define CPU_KNOWN 0x80000000u /* detection has run */

static const struct {
	enum cpu_feature feature;
	const char *name;
} cpu_names[] = {
	{ CPU_BMI2, "bmi2" }, { CPU_AVX2, "avx2" },     { CPU_FMA, "fma" },
	{ CPU_F16C, "f16c" }, { CPU_AVX512, "avx512" }, { CPU_NEON, "neon" },
	{ CPU_PDEP, "pdep" }, { CPU_VBMI, "vbmi" },
};

static _Atomic u32 cpu_features;

/* True if the comma-separated 'list' has the word 'name'. */
static bool
list_has(const char *list, const char *name)
{
	const size_t len = strlen(name);

	while (*list != '\0') {
		const size_t word_len = strcspn(list, ", ");

		if (word_len == len && memcmp(list, name, len) == 0)
			return true;
		list += word_len;
		list += strspn(list, ", ");
	}
	return false;
}

static u32
cpu_detect(void)
{
	const char *const disabled = getenv("DCTLOAD_DISABLE_CPU");
	u32 features = 0;

#if ARCH_X86_64
	__builtin_cpu_init();
	/* Every CPU with BMI2 has MOVBE: both came with Haswell and Excavator. */
	if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
		features |= CPU_BMI2;
	/* Zen and Zen 2 take 20 to 250 cycles for it, by the bits of its mask. */
	if ((features & CPU_BMI2) != 0 && !__builtin_cpu_is("znver1") &&
	    !__builtin_cpu_is("znver2"))
		features |= CPU_PDEP;
	if (__builtin_cpu_supports("avx2"))
		features |= CPU_AVX2;
	if (__builtin_cpu_supports("fma"))
		features |= CPU_FMA;
	/* The compiler's list lacks F16C; every CPU with AVX2 has it. */
	if (__builtin_cpu_supports("avx2"))
		features |= CPU_F16C;
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"))
		features |= CPU_AVX512;
	if (__builtin_cpu_supports("avx512vbmi"))
		features |= CPU_VBMI;
#elif ARCH_ARM64
	features |= CPU_NEON;
#endif
	if (disabled != NULL) {
		for (size_t i = 0; i < ARRAY_LEN(cpu_names); i++)
			if (list_has(disabled, cpu_names[i].name))
				features &= ~(u32)cpu_names[i].feature;
	}
	return features | CPU_KNOWN;
}

/* Two threads may both detect; they store the same value. */
static u32
cpu_get(void)
{
	u32 features =
		atomic_load_explicit(&cpu_features, memory_order_relaxed);

	if (unlikely(features == 0)) {
		features = cpu_detect();
		atomic_store_explicit(&cpu_features, features,
				      memory_order_relaxed);
	}
	return features;
}

bool
cpu_has(enum cpu_feature feature)
{
	return (cpu_get() & (u32)feature) != 0;
}

void
cpu_set_mask_for_tests(u32 mask)
{
	atomic_store_explicit(&cpu_features, (cpu_detect() & mask) | CPU_KNOWN,
			      memory_order_relaxed);
}

const char *
dctload_cpu_features(void)
{
	/* One of 2^8 strings would do; a thread's own buffer is simpler. */
	static _Thread_local char text[64];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(cpu_names); i++) {
		if (!cpu_has(cpu_names[i].feature))
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					len != 0 ? " " : "", cpu_names[i].name);
	}
	return len != 0 ? text : "portable";
}

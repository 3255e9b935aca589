/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzz targets share */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "../../csrc/common.h"

/* Large enough for every code path, small enough for thousands a second. */
#define FUZZ_MAX_PIXELS (1u << 18)
#define FUZZ_MAX_SCANS 100

/* An assertion that no build leaves out. */
#define REQUIRE(expr)                                                    \
	do {                                                             \
		if (!(expr)) {                                           \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
				__LINE__, #expr);                        \
			abort();                                         \
		}                                                        \
	} while (0)

int LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes);

/* Files that are open at once: more than a decoder has lanes. */
#define FUZZ_MAX_JOBS 24

/*
 * Memory that ends where an inaccessible page begins; what lies before it is
 * poisoned too under AddressSanitizer.  Its content is undefined (and known to
 * be so to MemorySanitizer) and lasts until the slot's next use.
 */
enum guard_slot {
	GUARD_IN = 0,
	GUARD_OUT = 1,
	GUARD_JOBS_IN = 2,
	GUARD_PLANES = GUARD_JOBS_IN + FUZZ_MAX_JOBS
};
#define GUARD_NUM_SETS (2 * FUZZ_MAX_JOBS)
#define GUARD_NUM_SLOTS (GUARD_PLANES + GUARD_NUM_SETS * DCTLOAD_MAX_COMPONENTS)
u8 *guard_alloc(u32 slot, size_t nbytes);

/* A copy of the input against a guard page. */
const u8 *guard_copy(u32 slot, const u8 *in, size_t in_nbytes);

/* All that one decode comes to. */
struct outcome {
	enum dctload_status status;
	size_t error_offset;
	struct dctload_info info;
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
};

void fuzz_limits(struct dctload_limits *limits_ret);

/* Bytes of component c's plane. */
size_t plane_nbytes(const struct dctload_info *info, u32 c);

/* Header, then coefficients into the guarded planes of a set. */
void fuzz_decode(const u8 *in, size_t in_nbytes, u32 flags, u32 set,
		 struct outcome *o);

/* As fuzz_decode() does it: the planes of 'info', not initialised. */
void fuzz_planes(const struct dctload_info *info, u32 set,
		 s16 *planes[DCTLOAD_MAX_COMPONENTS]);

/* The same status, offset, info and coefficients, or abort. */
void require_equal(const struct outcome *a, const struct outcome *b);

/* Look at every byte, so that MemorySanitizer does. */
void touch(const void *p, size_t nbytes);
void touch_outcome(const struct outcome *o);

#endif /* FUZZ_H */

/* SPDX-License-Identifier: MIT */
/* fuzz.c - what the fuzz targets share */

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define HIDE(p, nbytes) ASAN_POISON_MEMORY_REGION(p, nbytes)
#define SHOW(p, nbytes) ASAN_UNPOISON_MEMORY_REGION(p, nbytes)
#define UNDEFINE(p, nbytes)
#elif __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define HIDE(p, nbytes) __msan_poison(p, nbytes)
#define SHOW(p, nbytes)
#define UNDEFINE(p, nbytes) __msan_poison(p, nbytes)
#else
#define HIDE(p, nbytes)
#define SHOW(p, nbytes)
#define UNDEFINE(p, nbytes)
#endif

struct arena {
	u8 *base;
	size_t nbytes; /* whole pages, the guard page not counted */
};

/* Make the slot's arena at least 'nbytes' long. */
static void
grow_arena(struct arena *arena, size_t nbytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (nbytes <= arena->nbytes)
		return;
	if (arena->base != NULL) {
		SHOW(arena->base, arena->nbytes);
		munmap(arena->base, arena->nbytes + page);
	}
	arena->nbytes = (nbytes + page - 1) / page * page;
	arena->base = mmap(NULL, arena->nbytes + page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(arena->base != MAP_FAILED);
	REQUIRE(mprotect(arena->base + arena->nbytes, page, PROT_NONE) == 0);
}

u8 *
guard_alloc(u32 slot, size_t nbytes)
{
	static struct arena arenas[GUARD_NUM_SLOTS];
	struct arena *const arena = &arenas[slot];
	u8 *p;

	REQUIRE(slot < GUARD_NUM_SLOTS);
	grow_arena(arena, nbytes + 4096);
	p = arena->base + arena->nbytes - nbytes;
	HIDE(arena->base, arena->nbytes - nbytes);
	SHOW(p, nbytes);
	UNDEFINE(p, nbytes);
	return p;
}

const u8 *
guard_copy(u32 slot, const u8 *in, size_t in_nbytes)
{
	u8 *const p = guard_alloc(slot, in_nbytes);

	if (in_nbytes != 0)
		memcpy(p, in, in_nbytes);
	return p;
}

void
fuzz_limits(struct dctload_limits *limits_ret)
{
	dctload_default_limits(limits_ret);
	limits_ret->max_pixels = FUZZ_MAX_PIXELS;
	limits_ret->max_scans = FUZZ_MAX_SCANS;
}

size_t
plane_nbytes(const struct dctload_info *info, u32 c)
{
	return (size_t)info->components[c].blocks_w *
	       info->components[c].blocks_h * BLOCK_NBYTES;
}

void
fuzz_planes(const struct dctload_info *info, u32 set,
	    s16 *planes[DCTLOAD_MAX_COMPONENTS])
{
	for (u32 c = 0; c < info->num_components; c++) {
		const u32 slot =
			GUARD_PLANES + set * DCTLOAD_MAX_COMPONENTS + c;

		/* In odd sets off every alignment but a coefficient's. */
		planes[c] = (void *)guard_alloc(
			slot, plane_nbytes(info, c) + set % 2 * sizeof(s16));
	}
}

void
fuzz_decode(const u8 *in, size_t in_nbytes, u32 flags, u32 set,
	    struct outcome *o)
{
	static struct dctload_decoder *decoder;
	struct dctload_limits limits;

	if (decoder == NULL)
		decoder = dctload_alloc_decoder();
	REQUIRE(decoder != NULL);
	memset(o, 0, sizeof(*o));
	fuzz_limits(&limits);
	o->status = dctload_read_info(in, in_nbytes, &limits, &o->info,
				      &o->error_offset);
	if (o->status != DCTLOAD_OK)
		return;
	fuzz_planes(&o->info, set, o->planes);
	o->status = dctload_decode(decoder, in, in_nbytes, &limits, flags,
				   o->planes, &o->info, &o->error_offset);
}

void
require_equal(const struct outcome *a, const struct outcome *b)
{
	REQUIRE(a->status == b->status);
	if (a->status != DCTLOAD_OK) {
		REQUIRE(a->error_offset == b->error_offset);
		return;
	}
	REQUIRE(memcmp(&a->info, &b->info, sizeof(a->info)) == 0);
	for (u32 c = 0; c < a->info.num_components; c++)
		REQUIRE(memcmp(a->planes[c], b->planes[c],
			       plane_nbytes(&a->info, c)) == 0);
}

static volatile u32 touched; /* volatile, or the loop below were for nothing */

void
touch(const void *p, size_t nbytes)
{
	const u8 *bytes = p;
	u8 sum = 0;

	for (size_t i = 0; i < nbytes; i++)
		sum = (u8)(sum + bytes[i]);
	if (sum == 0)
		touched++;
}

void
touch_outcome(const struct outcome *o)
{
	touch(&o->status, sizeof(o->status));
	if (o->status != DCTLOAD_OK) {
		touch(&o->error_offset, sizeof(o->error_offset));
		return;
	}
	touch(&o->info, sizeof(o->info));
	for (u32 c = 0; c < o->info.num_components; c++)
		touch(o->planes[c], plane_nbytes(&o->info, c));
}

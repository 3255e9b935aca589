/* SPDX-License-Identifier: MIT */
/*
 * fuzz_libjpeg.c - agreement with libjpeg
 *
 * Proves: where libjpeg reports neither error nor warning, the coefficients and
 * tables are the same, or the file is refused for a reason that libjpeg passes
 * over in silence; what is accepted, libjpeg can read.
 */

#define _GNU_SOURCE /* memmem() */

#include "../oracle/oracle.h"
#include "fuzz.h"

/* What docs/differences.md lists: libjpeg goes on without a word. */
static bool
is_silent_in_libjpeg(enum dctload_status status)
{
	switch (status) {
	case DCTLOAD_BAD_CODE:        /* libjpeg-turbo's fast path is silent */
	case DCTLOAD_BAD_COEFFICIENT: /* 16 bits overflow */
	case DCTLOAD_BAD_RUN:         /* a coefficient past the block */
	case DCTLOAD_BAD_SCAN:        /* coded twice, or AC without DC */
	case DCTLOAD_NO_SCAN:         /* a component left out */
	case DCTLOAD_LOST_SEGMENT:    /* behind an early EOI */
	case DCTLOAD_EXCESS_DATA:     /* swallowed by libjpeg's bit buffer */
	case DCTLOAD_BAD_RESTART:     /* likewise, before a marker */
	case DCTLOAD_ARITHMETIC:      /* handled by libjpeg */
	case DCTLOAD_TOO_MANY_COMPONENTS:
	case DCTLOAD_TOO_MANY_SCANS:
	case DCTLOAD_TOO_MUCH_OUTPUT:
	case DCTLOAD_FILE_TOO_LARGE:
		return true;
	default:
		return false;
	}
}

/* J_COLOR_SPACE has RGB before YCbCr. */
static u32
color_of(const struct oracle *want)
{
	static const u8 colors[] = {
		DCTLOAD_UNKNOWN_COLOR, DCTLOAD_GRAY, DCTLOAD_RGB,
		DCTLOAD_YCBCR,         DCTLOAD_CMYK, DCTLOAD_YCCK,
	};

	REQUIRE(want->color < ARRAY_LEN(colors));
	return colors[want->color];
}

static void
require_same(const struct outcome *o, const struct oracle *want)
{
	REQUIRE(o->info.width == want->width);
	REQUIRE(o->info.height == want->height);
	REQUIRE(o->info.num_components == want->num_components);
	REQUIRE(o->info.progressive == want->progressive);
	REQUIRE(o->info.has_jfif == want->saw_jfif);
	REQUIRE(o->info.color == color_of(want));
	for (u32 c = 0; c < want->num_components; c++) {
		const struct oracle_component *comp = &want->components[c];

		REQUIRE(o->info.components[c].blocks_w == comp->blocks_w);
		REQUIRE(o->info.components[c].blocks_h == comp->blocks_h);
		REQUIRE(memcmp(o->info.qtables[c], comp->qtable,
			       sizeof(comp->qtable)) == 0);
		REQUIRE(memcmp(o->planes[c], comp->coefs,
			       plane_nbytes(&o->info, c)) == 0);
	}
}

static bool
has(const u8 *in, size_t in_nbytes, const void *bytes, size_t nbytes)
{
	return memmem(in, in_nbytes, bytes, nbytes) != NULL;
}

/*
 * libjpeg ends at 65,500 samples, and wants to read the segment in which the data
 * end though all is decoded.
 */
static bool
may_refuse(const struct dctload_info *info)
{
	return max_u32(info->width, info->height) > 65500 ||
	       (info->warnings & DCTLOAD_WARN_NO_EOI) != 0;
}

/*
 * At FF FF 00, which both take for one 0xFF of data, libjpeg-turbo gives up its
 * fast path and decodes the MCU again, over what the first try has left there.
 */
static bool
confuses_libjpeg(const u8 *in, size_t in_nbytes)
{
	return has(in, in_nbytes, "\xFF\xFF\0", 3);
}

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	const u8 *const copy = guard_copy(GUARD_IN, in, in_nbytes);
	static struct oracle want;
	struct outcome o;

	fuzz_decode(copy, in_nbytes, 0, 0, &o);
	oracle_read(copy, in_nbytes, FUZZ_MAX_PIXELS, FUZZ_MAX_SCANS, &want);
	if (o.status == DCTLOAD_OK && !may_refuse(&o.info))
		REQUIRE(want.error[0] == '\0');
	if (want.error[0] == '\0') {
		if (o.status == DCTLOAD_OK) {
			if (!confuses_libjpeg(copy, in_nbytes))
				require_same(&o, &want);
		} else if (want.num_warnings == 0) {
			REQUIRE(is_silent_in_libjpeg(o.status));
		}
	}
	oracle_free(&want);
	return 0;
}

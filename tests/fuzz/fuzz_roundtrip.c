/* SPDX-License-Identifier: MIT */
/*
 * fuzz_roundtrip.c - what dctload_encode() writes, dctload_decode() reads
 *
 * Proves: coefficients, sizes and tables survive; the size asked for is the size
 * written, and nothing is written past the capacity; a refusal has its reason in
 * the coefficients.  A JPEG is decoded for its coefficients; other bytes are
 * taken for sizes, factors and coefficients themselves.
 */

#include "fuzz.h"

#define MAX_DC 2047 /* no difference of two is refused below half of it */
#define MAX_AC 1023

struct reader {
	const u8 *p, *end;
};

static u32
take(struct reader *r)
{
	return r->p != r->end ? *r->p++ : 0;
}

/* A frame from the first bytes. */
static void
make_info(struct reader *r, struct dctload_info *info)
{
	static const u8 colors[] = { DCTLOAD_GRAY, DCTLOAD_UNKNOWN_COLOR,
				     DCTLOAD_YCBCR, DCTLOAD_CMYK };
	const u32 n = 1 + take(r) % DCTLOAD_MAX_COMPONENTS;

	memset(info, 0, sizeof(*info));
	info->num_components = (u8)n;
	info->color = colors[n - 1];
	info->width = 1 + take(r) % 80;
	info->height = 1 + take(r) % 80;
	info->orientation = (u8)(1 + take(r) % 8);
	info->adobe_transform = -1;
	for (u32 c = 0; c < n; c++) {
		const u32 factors = take(r);

		info->components[c].id = (u8)(take(r) & 3);
		info->components[c].h = (u8)(1 + (factors & 3));
		info->components[c].v = (u8)(1 + (factors >> 2 & 3));
		info->h_max = (u8)max_u32(info->h_max, info->components[c].h);
		info->v_max = (u8)max_u32(info->v_max, info->components[c].v);
		for (u32 k = 0; k < BLOCK_COEFS; k++)
			info->qtables[c][k] =
				(u16)((factors >> 4) * k * 80 + 1);
	}
	for (u32 c = 0; c < n; c++) {
		struct dctload_component *comp = &info->components[c];

		comp->width = ceil_div_u32(info->width * comp->h, info->h_max);
		comp->height =
			ceil_div_u32(info->height * comp->v, info->v_max);
		comp->blocks_w = ceil_div_u32(comp->width, 8);
		comp->blocks_h = ceil_div_u32(comp->height, 8);
	}
}

/* Coefficients from the rest: where to go, then a value. */
static void
make_planes(struct reader *r, const struct dctload_info *info,
	    s16 *planes[DCTLOAD_MAX_COMPONENTS])
{
	fuzz_planes(info, 0, planes);
	for (u32 c = 0; c < info->num_components; c++) {
		const size_t n = plane_nbytes(info, c) / sizeof(s16);
		size_t i = 0;

		memset(planes[c], 0, n * sizeof(s16));
		while (r->p != r->end && (i += take(r)) < n) {
			const u32 high = take(r);

			planes[c][i++] = (s16)(high << 8 | take(r));
		}
	}
}

static bool
may_be_refused(const struct dctload_info *info,
	       s16 *const planes[DCTLOAD_MAX_COMPONENTS])
{
	for (u32 c = 0; c < info->num_components; c++) {
		const size_t n = plane_nbytes(info, c) / sizeof(s16);

		for (size_t i = 0; i < n; i++) {
			const s32 v = planes[c][i];
			const s32 max = i % 64 != 0 ? MAX_AC : MAX_DC / 2;

			if (v > max || v < -max)
				return true;
		}
	}
	return false;
}

static void
round_trip(const struct dctload_info *info,
	   s16 *const planes[DCTLOAD_MAX_COMPONENTS], int optimize)
{
	const s16 *in[DCTLOAD_MAX_COMPONENTS] = { NULL };
	size_t nbytes = 0, written = 0;
	enum dctload_status status;
	struct outcome o;
	u8 *out;

	memcpy(in, planes, info->num_components * sizeof(in[0]));
	status = dctload_encode(info, in, optimize, NULL, 0, &nbytes);
	if (status != DCTLOAD_OK) {
		REQUIRE(status == DCTLOAD_BAD_COEFFICIENT);
		REQUIRE(may_be_refused(info, planes));
		return;
	}
	out = guard_alloc(GUARD_OUT, nbytes);
	status = dctload_encode(info, in, optimize, out, nbytes, &written);
	REQUIRE(status == DCTLOAD_OK && written == nbytes);
	touch(out, nbytes);
	fuzz_decode(out, nbytes, 0, 1, &o);
	REQUIRE(o.status == DCTLOAD_OK);
	REQUIRE(o.info.warnings == 0);
	REQUIRE(o.info.width == info->width && o.info.height == info->height);
	REQUIRE(o.info.color == info->color);
	REQUIRE(o.info.orientation == info->orientation);
	for (u32 c = 0; c < info->num_components; c++) {
		REQUIRE(o.info.components[c].h == info->components[c].h);
		REQUIRE(o.info.components[c].v == info->components[c].v);
		REQUIRE(memcmp(o.info.qtables[c], info->qtables[c],
			       sizeof(info->qtables[c])) == 0);
		REQUIRE(memcmp(o.planes[c], planes[c], plane_nbytes(info, c)) ==
			0);
	}
}

int
LLVMFuzzerTestOneInput(const u8 *in, size_t in_nbytes)
{
	struct reader r = { .p = in, .end = in + in_nbytes };
	struct outcome o;

	fuzz_decode(guard_copy(GUARD_IN, in, in_nbytes), in_nbytes, 0, 0, &o);
	if (o.status == DCTLOAD_NOT_JPEG) {
		make_info(&r, &o.info);
		make_planes(&r, &o.info, o.planes);
	} else if (o.status != DCTLOAD_OK) {
		return 0;
	}
	round_trip(&o.info, o.planes, 0);
	round_trip(&o.info, o.planes, 1);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* decode.c - the public decoder: images in, rows of blocks out */

#include "decoder.h"

#include <stdlib.h>

#include "../dct/plan.h"
#include "image.h"
#include "scan_vectors.h"

struct dctload_decoder {
	struct image images[SCAN_MAX_LANES];
	u32 num_images;
	struct scan_group group;
	struct huff_cache cache;
	struct header_cache headers;
	struct block_pool blocks;
	struct packed_pool packed;
	struct progressive_words words;
	struct plan_pool plans;
};

void
dctload_free_decoder(struct dctload_decoder *d)
{
	if (d == NULL)
		return;
	for (u32 i = 0; i < d->num_images; i++)
		image_free_scratch(&d->images[i]);
	scan_free_vectors(d->group.vectors);
	huff_free_cache(&d->cache);
	block_pool_free(&d->blocks);
	packed_free_pool(&d->packed);
	words_shrink(&d->words, 0);
	plan_free_pool(&d->plans);
	free(d);
}

struct dctload_decoder *
dctload_alloc_decoder(void)
{
	void *memory = NULL;
	struct dctload_decoder *d;

	if (posix_memalign(&memory, _Alignof(struct dctload_decoder),
			   sizeof(*d)) != 0)
		return NULL;
	d = memory;
	memset(d, 0, sizeof(*d));
	d->num_images = scan_num_lanes();
	if (scan_has_vectors() &&
	    (d->group.vectors = scan_alloc_vectors()) == NULL) {
		dctload_free_decoder(d);
		return NULL;
	}
	for (u32 i = 0; i < d->num_images; i++) {
		d->images[i].cache = &d->cache;
		d->images[i].headers = &d->headers;
		d->images[i].block_pool = &d->blocks;
		d->images[i].packed_pool = &d->packed;
		d->images[i].words = &d->words;
		d->images[i].plans = &d->plans;
		d->images[i].many_open = d->num_images > SCAN_SCALAR_LANES;
	}
	return d;
}

struct plan_pool *
decoder_plans(struct dctload_decoder *d)
{
	return &d->plans;
}

enum dctload_status
jpeg_read_info(struct dctload_decoder *d, const u8 *in, size_t in_nbytes,
	       const struct dctload_limits *limits,
	       struct dctload_info *info_ret, size_t *error_offset_ret)
{
	return header_read_info(&d->headers, in, in_nbytes, limits, info_ret,
				error_offset_ret);
}

/*
 * 'with_plan' are the images that have a plan while they are open.  They are for two
 * lanes: the operators and rows of a plan are some 200 KB, and with sixteen of them
 * nothing is in L2 any more, which costs more than vectors gain.
 */
static bool
has_room(const struct dctload_decoder *d, u32 num_open, u32 with_plan)
{
	return num_open < (with_plan != 0 ? SCAN_SCALAR_LANES : d->num_images);
}

void
jpeg_run(struct dctload_decoder *d, jpeg_next_fn next, jpeg_done_fn done,
	 void *ctx)
{
	struct scan_group *const group = &d->group;
	u32 num_open = 0, with_plan = 0;

	for (;;) {
		struct jpeg_job *job;
		u32 i = 0;

		while (has_room(d, num_open, with_plan) &&
		       (job = next(ctx)) != NULL) {
			while (group->lanes[i] != NULL)
				i++;
			if (image_begin(&d->images[i], job) == IMAGE_FINISHED) {
				done(ctx, job);
				continue;
			}
			scan_set_lane(group, i, &d->images[i].lane);
			with_plan |= (u32)(d->images[i].plan != NULL) << i;
			num_open++;
		}
		if (num_open == 0)
			return;
		i = scan_run(group);
		job = d->images[i].job;
		if (image_advance(&d->images[i]) == IMAGE_OPEN) {
			scan_set_lane(group, i, &d->images[i].lane);
			continue;
		}
		scan_set_lane(group, i, NULL);
		with_plan &= ~(1u << i);
		num_open--;
		done(ctx, job);
	}
}

struct dctload_decoder *
decoder_alloc(struct huff_pool *pool)
{
	struct dctload_decoder *const d = dctload_alloc_decoder();

	if (d != NULL)
		d->cache.pool = pool;
	return d;
}

/* ---- one image --------------------------------------------------------- */

static struct jpeg_job *
next_single(void *ctx)
{
	struct jpeg_job **const pending = ctx;
	struct jpeg_job *const job = *pending;

	*pending = NULL;
	return job;
}

static void
done_single(void *ctx, struct jpeg_job *job)
{
	(void)ctx;
	(void)job;
}

static enum dctload_status
decode_single(struct dctload_decoder *d, struct jpeg_job *job,
	      size_t *error_offset_ret)
{
	struct jpeg_job *pending = job;

	jpeg_run(d, next_single, done_single, &pending);
	if (error_offset_ret != NULL)
		*error_offset_ret = job->error_offset;
	return job->status;
}

enum dctload_status
dctload_decode(struct dctload_decoder *d, const u8 *in, size_t in_nbytes,
	       const struct dctload_limits *limits, u32 flags,
	       s16 *const planes[DCTLOAD_MAX_COMPONENTS],
	       struct dctload_info *info_ret, size_t *error_offset_ret)
{
	struct dctload_info info;
	struct jpeg_job job = {
		.in = in,
		.in_nbytes = in_nbytes,
		.limits = limits,
		.flags = flags,
		.planes = planes,
		.info = info_ret != NULL ? info_ret : &info,
	};

	return decode_single(d, &job, error_offset_ret);
}

enum dctload_status
dctload_decode_region(struct dctload_decoder *d, const u8 *in, size_t in_nbytes,
		      const struct dctload_limits *limits, u32 flags,
		      const struct dctload_region *region, void *memory,
		      size_t capacity, size_t *nbytes_ret,
		      struct dctload_info *info_ret, size_t *error_offset_ret)
{
	s16 *planes[DCTLOAD_MAX_COMPONENTS];
	struct dctload_info whole;
	struct jpeg_job job = {
		.in = in,
		.in_nbytes = in_nbytes,
		.limits = limits,
		.flags = flags,
		.planes = planes,
		.planned = &whole,
		.region = region,
		.info = info_ret,
	};
	enum dctload_status status = jpeg_read_info(d, in, in_nbytes, limits,
						    info_ret, error_offset_ret);

	*nbytes_ret = 0;
	whole = *info_ret;
	if (status == DCTLOAD_OK && region != NULL)
		status = dctload_window(info_ret, region, info_ret);
	if (status != DCTLOAD_OK)
		return status;
	*nbytes_ret = info_coefs_nbytes(info_ret);
	if (*nbytes_ret > capacity)
		return DCTLOAD_OK;
	info_place_planes(info_ret, memory, planes);
	return decode_single(d, &job, error_offset_ret);
}

u64
decoder_transform_ns(const struct dctload_decoder *d)
{
	return d->plans.run_ns;
}

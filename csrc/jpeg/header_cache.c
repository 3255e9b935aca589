/* SPDX-License-Identifier: MIT */
/* header_cache.c - headers that many files of a data set have in common */

#include "header_cache.h"

/* Tables that lie in the 'nbytes' at 'from' lie at the same place of 'to'. */
static void
move_table(struct huff_ref *ref, const u8 *from, u32 nbytes, const u8 *to)
{
	const uintptr_t offset = (uintptr_t)ref->counts - (uintptr_t)from;

	if (offset >= nbytes)
		return; /* undefined, or one of T.81 K.3 */
	ref->counts = to + offset;
	ref->symbols = ref->counts + MAX_CODE_BITS;
}

static void
move_tables(struct header *h, const u8 *from, u32 nbytes, const u8 *to)
{
	for (u32 i = 0; i < NUM_TABLE_SLOTS; i++) {
		move_table(&h->dc[i], from, nbytes, to);
		move_table(&h->ac[i], from, nbytes, to);
	}
}

static bool
limits_are_equal(const struct dctload_limits *a, const struct dctload_limits *b)
{
	return a->max_pixels == b->max_pixels &&
	       a->max_output_nbytes == b->max_output_nbytes &&
	       a->max_file_nbytes == b->max_file_nbytes &&
	       a->max_components == b->max_components &&
	       a->max_scans == b->max_scans;
}

static bool
recall(const struct header_cache *cache, struct header *h)
{
	const u8 *const in = h->in;
	const size_t in_nbytes = h->in_nbytes;

	for (u32 i = 0; i < HEADER_CACHE_LEN; i++) {
		const struct known_header *const known = &cache->known[i];

		if (known->nbytes == 0 || known->nbytes > in_nbytes ||
		    memcmp(known->bytes, in, known->nbytes) != 0 ||
		    !limits_are_equal(&known->header.limits, &h->limits))
			continue;
		*h = known->header;
		h->in = in;
		h->in_nbytes = in_nbytes;
		move_tables(h, known->bytes, known->nbytes, in);
		return true;
	}
	return false;
}

static void
remember(struct header_cache *cache, const struct header *h)
{
	struct known_header *const known = &cache->known[cache->next];

	if (h->pos > HEADER_CACHE_NBYTES)
		return;
	cache->next = (cache->next + 1) % HEADER_CACHE_LEN;
	known->nbytes = (u32)h->pos;
	memcpy(known->bytes, h->in, h->pos);
	known->header = *h;
	move_tables(&known->header, h->in, known->nbytes, known->bytes);
}

enum dctload_status
header_first(struct header_cache *cache, struct header *h,
	     enum header_event *event_ret)
{
	enum dctload_status status;

	*event_ret = HEADER_SCAN;
	if (recall(cache, h))
		return DCTLOAD_OK;
	status = header_next(h, event_ret);
	if (status == DCTLOAD_OK && *event_ret == HEADER_SCAN)
		remember(cache, h);
	return status;
}

enum dctload_status
header_read_info(struct header_cache *cache, const u8 *in, size_t in_nbytes,
		 const struct dctload_limits *limits,
		 struct dctload_info *info_ret, size_t *error_offset_ret)
{
	struct header h;
	enum header_event event = HEADER_SCAN;
	enum dctload_status status = header_begin(&h, in, in_nbytes, limits);

	if (status == DCTLOAD_OK)
		status = header_first(cache, &h, &event);
	return header_finish_info(&h, status, event, info_ret,
				  error_offset_ret);
}

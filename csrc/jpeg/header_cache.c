/* SPDX-License-Identifier: MIT */
/* header_cache.c - headers that many files of a data set have in common */

#include "header_cache.h"

/* What 'p' points to in the 'nbytes' at 'from', at the same place of 'to'. */
static const u8 *
moved(const u8 *p, const u8 *from, u32 nbytes, const u8 *to)
{
	const uintptr_t offset = (uintptr_t)p - (uintptr_t)from;

	/* Else undefined, or one of T.81 K.3. */
	return offset < nbytes ? to + offset : p;
}

static void
move_tables(struct header *h, const u8 *from, u32 nbytes, const u8 *to)
{
	for (u32 i = 0; i < NUM_TABLE_SLOTS; i++) {
		struct huff_ref *const refs[2] = { &h->dc[i], &h->ac[i] };

		for (u32 k = 0; k < 2; k++) {
			refs[k]->counts =
				moved(refs[k]->counts, from, nbytes, to);
			refs[k]->symbols =
				moved(refs[k]->symbols, from, nbytes, to);
		}
		h->quant[i].entries =
			moved(h->quant[i].entries, from, nbytes, to);
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

/* The entry of the header that 'in' begins with, or NULL. */
static struct known_header *
find(struct header_cache *cache, const u8 *in, size_t in_nbytes,
     const struct dctload_limits *limits)
{
	for (u32 i = 0; i < HEADER_CACHE_LEN; i++) {
		struct known_header *const known = &cache->known[i];

		if (known->nbytes != 0 && known->nbytes <= in_nbytes &&
		    memcmp(known->bytes, in, known->nbytes) == 0 &&
		    limits_are_equal(&known->header.limits, limits) &&
		    in_nbytes <= limits->max_file_nbytes)
			return known;
	}
	return NULL;
}

static struct known_header *
remember(struct header_cache *cache, const struct header *h)
{
	struct known_header *const known = &cache->known[cache->next];

	if (h->pos > HEADER_CACHE_NBYTES)
		return NULL;
	cache->next = (cache->next + 1) % HEADER_CACHE_LEN;
	known->nbytes = (u32)h->pos;
	memcpy(known->bytes, h->in, h->pos);
	known->header = *h;
	move_tables(&known->header, h->in, known->nbytes, known->bytes);
	memset(known->tables, 0, sizeof(known->tables));
	known->layout = 0;
	return known;
}

static enum dctload_status
open_unknown(struct header_cache *cache, struct header *h, const u8 *in,
	     size_t in_nbytes, const struct dctload_limits *limits,
	     enum header_event *event_ret, struct known_header **known_ret)
{
	enum dctload_status status = header_begin(h, in, in_nbytes, limits);

	*known_ret = NULL;
	*event_ret = HEADER_SCAN;
	if (status == DCTLOAD_OK)
		status = header_next(h, event_ret);
	if (status == DCTLOAD_OK && *event_ret == HEADER_SCAN)
		*known_ret = remember(cache, h);
	return status;
}

enum dctload_status
header_open(struct header_cache *cache, struct header *h, const u8 *in,
	    size_t in_nbytes, const struct dctload_limits *limits,
	    enum header_event *event_ret, struct known_header **known_ret)
{
	const struct dctload_limits in_force = limits_in_force(limits);
	struct known_header *known;

	known = find(cache, in, in_nbytes, &in_force);
	if (known == NULL)
		return open_unknown(cache, h, in, in_nbytes, limits, event_ret,
				    known_ret);
	*h = known->header;
	h->in = in;
	h->in_nbytes = in_nbytes;
	move_tables(h, known->bytes, known->nbytes, in);
	*event_ret = HEADER_SCAN;
	*known_ret = known;
	return DCTLOAD_OK;
}

enum dctload_status
header_read_info(struct header_cache *cache, const u8 *in, size_t in_nbytes,
		 const struct dctload_limits *limits,
		 struct dctload_info *info_ret, size_t *error_offset_ret)
{
	const struct dctload_limits in_force = limits_in_force(limits);
	struct known_header *known;
	enum dctload_status status;
	enum header_event event;
	struct header h;

	known = find(cache, in, in_nbytes, &in_force);
	if (known != NULL) {
		*info_ret = known->header.info;
		info_ret->num_scans = 0;
		if (error_offset_ret != NULL)
			*error_offset_ret = 0;
		return DCTLOAD_OK;
	}
	status = open_unknown(cache, &h, in, in_nbytes, limits, &event, &known);
	return header_finish_info(&h, status, event, info_ret,
				  error_offset_ret);
}

/* SPDX-License-Identifier: MIT */
/* header_cache.h - headers that many files of a data set have in common */
#ifndef DCTLOAD_HEADER_CACHE_H
#define DCTLOAD_HEADER_CACHE_H

#include "../common.h"
#include "header.h"
#include "huffman_cache.h"

/*
 * Up to the first scan, a header is a function of its bytes and the limits.  The
 * files of a data set that one program wrote at one size differ in none of them,
 * and comparing bytes takes a twentieth of the time that reading segments does.
 * Longer headers hold EXIF or profiles, which differ.
 */
#define HEADER_CACHE_LEN 4
#define HEADER_CACHE_NBYTES 1024

struct known_header {
	u32 nbytes; /* 0: none */
	u8 bytes[HEADER_CACHE_NBYTES];
	struct header header; /* with its tables in 'bytes' */

	/* The tables of its first scan, two a component; all zero: not yet used. */
	struct huff_hint tables[2 * DCTLOAD_MAX_COMPONENTS];
	u64 layout; /* a number for what header and tables decide; 0: none */
};

/* One thread's; all zero is empty. */
struct header_cache {
	u32 next;        /* the one to be replaced */
	u64 num_layouts; /* that there ever were */
	struct known_header known[HEADER_CACHE_LEN];
};

/*
 * As header_begin() and the first header_next().  '*known_ret' is the entry that the
 * header is now or was found in, or NULL; it is good until the next call.
 */
enum dctload_status
header_open(struct header_cache *cache, struct header *h, const u8 *in,
	    size_t in_nbytes, const struct dctload_limits *limits,
	    enum header_event *event_ret, struct known_header **known_ret);

/* As dctload_read_info(). */
enum dctload_status
header_read_info(struct header_cache *cache, const u8 *in, size_t in_nbytes,
		 const struct dctload_limits *limits,
		 struct dctload_info *info_ret, size_t *error_offset_ret);

#endif /* DCTLOAD_HEADER_CACHE_H */

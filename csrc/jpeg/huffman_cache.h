/* SPDX-License-Identifier: MIT */
/*
 * huffman_cache.h - tables made once for all images that have them
 *
 * A decoder's cache finds a table without a lock.  What it lacks it takes from a
 * pool, which any number of decoders share: tables are as large as all other memory
 * of a decoder, and most files of a data set have the same few.
 */
#ifndef DCTLOAD_HUFFMAN_CACHE_H
#define DCTLOAD_HUFFMAN_CACHE_H

#include <pthread.h>

#include "huffman.h"

/* ---- shared by threads ---------------------------------------------------- */

struct huff_hold;

/*
 * Tables that nobody holds are kept for files to come, up to this many: those of a
 * data set that a few dozen programs wrote, 1.3 MB.
 */
#define HUFF_POOL_KEPT 128

#define HUFF_POOL_BUCKETS 256
struct huff_pool {
	pthread_mutex_t lock;
	struct huff_hold *buckets[HUFF_POOL_BUCKETS];
	struct huff_hold *oldest, *newest; /* that nobody holds */
	u32 num_unheld;
};

void huff_pool_init(struct huff_pool *pool);

/* With all its tables; the caches that hold some are gone, or used no more. */
void huff_pool_destroy(struct huff_pool *pool);

/* ---- a decoder's ------------------------------------------------------------ */

/* A table that is held for the images being decoded with it, and a while longer. */
struct huff_slot {
	struct huff_table *table; /* NULL: none */
	u32 num_users;
	u64 last_use;
};

/* Sixteen images with four pairs each may be open, and some should stay. */
#define HUFF_CACHE_LEN 160

/* Of those without users; tables of a pool that others could do without. */
#define HUFF_CACHE_IDLE 16
struct huff_cache {
	struct huff_pool *pool;     /* NULL: tables are the cache's own */
	u32 hashes[HUFF_CACHE_LEN]; /* side by side, for the search */
	struct huff_slot slots[HUFF_CACHE_LEN];
	u32 num_idle;
	u64 clock;
};

/* Tables of a pool are left to it. */
void huff_free_cache(struct huff_cache *cache);

/*
 * The slot that has the table for 'key', with one more user until huff_release().
 * As huff_make_table(); BAD_HUFFMAN_TABLE too if its 'ref' is missing.
 */
enum dctload_status
huff_acquire(struct huff_cache *cache, const struct huff_key *key,
	     struct huff_slot **slot_ret);
/* One user more, unless 'slot' is NULL. */
void huff_share(struct huff_slot *slot);

/*
 * Where a table was, so that it need not be looked for; all zero for none.  One user
 * more for each of the 'num' tables and true, if all are there still.
 */
struct huff_hint {
	struct huff_slot *slot;
	u64 id;
};
struct huff_hint huff_hint_of(struct huff_slot *slot);
bool
huff_acquire_hinted(struct huff_cache *cache, const struct huff_hint *hints,
		    u32 num, struct huff_slot **slots_ret);
void huff_release(struct huff_cache *cache, struct huff_slot *slot);

#endif /* DCTLOAD_HUFFMAN_CACHE_H */

/* SPDX-License-Identifier: MIT */
/* huffman_cache.c - tables made once for all images that have them */

#include "huffman_cache.h"

#include <stdlib.h>

#include "header.h"

/* ---- shared by threads ---------------------------------------------------- */

struct huff_hold {
	struct huff_table *table;
	struct huff_hold *next; /* in its bucket */
	u32 hash;
	u32 num_holders;
	struct huff_hold *older, *newer; /* while nobody holds it */
};

void
huff_pool_init(struct huff_pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	pthread_mutex_init(&pool->lock, NULL);
}

static void
free_hold(struct huff_hold *hold)
{
	free(hold->table);
	free(hold);
}

void
huff_pool_destroy(struct huff_pool *pool)
{
	for (u32 i = 0; i < HUFF_POOL_BUCKETS; i++) {
		struct huff_hold *next;

		for (struct huff_hold *h = pool->buckets[i]; h != NULL;
		     h = next) {
			next = h->next;
			free_hold(h);
		}
	}
	pthread_mutex_destroy(&pool->lock);
}

static struct huff_hold **
bucket_of(struct huff_pool *pool, u32 hash)
{
	return &pool->buckets[hash % HUFF_POOL_BUCKETS];
}

static void
leave_unheld(struct huff_pool *pool, struct huff_hold *h)
{
	*(h->older != NULL ? &h->older->newer : &pool->oldest) = h->newer;
	*(h->newer != NULL ? &h->newer->older : &pool->newest) = h->older;
	pool->num_unheld--;
}

static void
join_unheld(struct huff_pool *pool, struct huff_hold *h)
{
	h->older = pool->newest;
	h->newer = NULL;
	*(h->older != NULL ? &h->older->newer : &pool->oldest) = h;
	pool->newest = h;
	pool->num_unheld++;
}

static struct huff_table *
find_locked(struct huff_pool *pool, u32 hash, const struct huff_key *key)
{
	for (struct huff_hold *h = *bucket_of(pool, hash); h != NULL;
	     h = h->next) {
		if (h->hash != hash || !huff_matches(h->table, key))
			continue;
		if (h->num_holders++ == 0)
			leave_unheld(pool, h);
		return h->table;
	}
	return NULL;
}

/* Two threads that both lacked a table may put one each; both are right. */
static bool
pool_put(struct huff_pool *pool, u32 hash, struct huff_table *table)
{
	struct huff_hold *const h = calloc(1, sizeof(*h));
	struct huff_hold **bucket;

	if (h == NULL)
		return false;
	h->table = table;
	h->hash = hash;
	h->num_holders = 1;
	table->hold = h;
	pthread_mutex_lock(&pool->lock);
	bucket = bucket_of(pool, hash);
	h->next = *bucket;
	*bucket = h;
	pthread_mutex_unlock(&pool->lock);
	return true;
}

static void
forget_locked(struct huff_pool *pool, struct huff_hold *h)
{
	struct huff_hold **link = bucket_of(pool, h->hash);

	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
	leave_unheld(pool, h);
}

static void
pool_release(struct huff_pool *pool, struct huff_table *table)
{
	struct huff_hold *const h = table->hold;
	struct huff_hold *surplus = NULL;

	pthread_mutex_lock(&pool->lock);
	if (--h->num_holders == 0)
		join_unheld(pool, h);
	if (pool->num_unheld > HUFF_POOL_KEPT) {
		surplus = pool->oldest;
		forget_locked(pool, surplus);
	}
	pthread_mutex_unlock(&pool->lock);
	if (surplus != NULL)
		free_hold(surplus);
}

static enum dctload_status
pool_take(struct huff_pool *pool, u32 hash, const struct huff_key *key,
	  struct huff_table **table_ret)
{
	enum dctload_status status;

	pthread_mutex_lock(&pool->lock);
	*table_ret = find_locked(pool, hash, key);
	pthread_mutex_unlock(&pool->lock);
	if (*table_ret != NULL)
		return DCTLOAD_OK;
	status = huff_make_table(key, table_ret);
	if (status == DCTLOAD_OK && !pool_put(pool, hash, *table_ret)) {
		free(*table_ret);
		*table_ret = NULL;
		status = DCTLOAD_NO_MEMORY;
	}
	return status;
}

/* ---- a decoder's ------------------------------------------------------------ */

void
huff_free_cache(struct huff_cache *cache)
{
	for (u32 i = 0; i < HUFF_CACHE_LEN && cache->pool == NULL; i++)
		free(cache->slots[i].table);
}

static void
empty_slot(struct huff_cache *cache, struct huff_slot *slot)
{
	if (cache->pool != NULL)
		pool_release(cache->pool, slot->table);
	else
		free(slot->table);
	slot->table = NULL;
	cache->num_idle--;
}

/* Of those without users the one not used for longest, or NULL. */
static struct huff_slot *
oldest_idle(struct huff_cache *cache)
{
	struct huff_slot *oldest = NULL;

	for (u32 i = 0; i < HUFF_CACHE_LEN; i++) {
		struct huff_slot *const slot = &cache->slots[i];

		if (slot->table != NULL && slot->num_users == 0 &&
		    (oldest == NULL || slot->last_use < oldest->last_use))
			oldest = slot;
	}
	return oldest;
}

/* NULL if all are in use. */
static struct huff_slot *
free_slot(struct huff_cache *cache)
{
	struct huff_slot *slot;

	for (u32 i = 0; i < HUFF_CACHE_LEN; i++)
		if (cache->slots[i].table == NULL)
			return &cache->slots[i];
	slot = oldest_idle(cache);
	if (slot != NULL)
		empty_slot(cache, slot);
	return slot;
}

static struct huff_slot *
find(struct huff_cache *cache, u32 hash, const struct huff_key *key)
{
	for (u32 i = 0; i < HUFF_CACHE_LEN; i++) {
		struct huff_slot *const slot = &cache->slots[i];

		if (cache->hashes[i] == hash && slot->table != NULL &&
		    huff_matches(slot->table, key))
			return slot;
	}
	return NULL;
}

static void
use(struct huff_cache *cache, struct huff_slot *slot)
{
	if (slot->num_users++ == 0)
		cache->num_idle--;
	slot->last_use = ++cache->clock;
}

enum dctload_status
huff_acquire(struct huff_cache *cache, const struct huff_key *key,
	     struct huff_slot **slot_ret)
{
	enum dctload_status status;
	struct huff_slot *slot;
	u32 hash;

	*slot_ret = NULL;
	if (key->ref->counts == NULL)
		return DCTLOAD_BAD_HUFFMAN_TABLE;
	hash = huff_hash(key);
	slot = find(cache, hash, key);
	if (slot == NULL) {
		slot = free_slot(cache);
		if (slot == NULL)
			return DCTLOAD_NO_MEMORY;
		status = cache->pool != NULL ?
				 pool_take(cache->pool, hash, key,
					   &slot->table) :
				 huff_make_table(key, &slot->table);
		if (status != DCTLOAD_OK)
			return status;
		cache->hashes[slot - cache->slots] = hash;
		cache->num_idle++;
	}
	use(cache, slot);
	*slot_ret = slot;
	return DCTLOAD_OK;
}

struct huff_hint
huff_hint_of(struct huff_slot *slot)
{
	return (struct huff_hint){ slot, slot != NULL ? slot->table->id : 0 };
}

bool
huff_acquire_hinted(struct huff_cache *cache, const struct huff_hint *hints,
		    u32 num, struct huff_slot **slots_ret)
{
	for (u32 i = 0; i < num; i++) {
		const struct huff_hint *const h = &hints[i];

		if (h->slot != NULL &&
		    (h->slot->table == NULL || h->slot->table->id != h->id))
			return false;
	}
	for (u32 i = 0; i < num; i++) {
		slots_ret[i] = hints[i].slot;
		if (slots_ret[i] != NULL)
			use(cache, slots_ret[i]);
	}
	return true;
}

void
huff_share(struct huff_slot *slot)
{
	if (slot != NULL)
		slot->num_users++;
}

void
huff_release(struct huff_cache *cache, struct huff_slot *slot)
{
	if (slot == NULL || --slot->num_users != 0)
		return;
	cache->num_idle++;
	if (cache->pool != NULL && cache->num_idle > HUFF_CACHE_IDLE)
		empty_slot(cache, oldest_idle(cache));
}

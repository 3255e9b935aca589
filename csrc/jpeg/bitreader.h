/* SPDX-License-Identifier: MIT */
/* bitreader.h - bits of a segment whose stuffing is gone */
#ifndef DCTLOAD_BITREADER_H
#define DCTLOAD_BITREADER_H

#include "../common.h"
#include "markers.h"

/*
 * JPEG is MSB-first.
 *
 *   buf    unread bits, left-aligned: bit 63 is the next of the segment
 *   used   63 less the number of leading bits of 'buf' that may be consumed.
 *          The bits below them are zero or what the next refill will OR in, so
 *          they may be peeked at but never counted.
 *   next   the byte that follows the countable bits
 *
 * The plain form would be
 *
 *   while (left <= 56) { buf |= (u64)*next++ << (56 - left); left += 8; }
 *
 * bits_refill() ORs in eight bytes at once; only whole bytes of them count, which
 * rounds 'left' up to 56..63, that is, it clears bits 3..5 of 'used'.  The bytes
 * can be loaded before it is known how many bits are left, and that is why it is
 * done this way: whoever waits for 'buf' waits three cycles, not ten.
 *
 * Reading past the segment's end gives zeros: SEGMENT_SLACK bytes of them follow
 * it.  They are noticed afterwards, by bits_position().
 */
struct bitreader {
	u64 buf;
	const u8 *next;
	u64 used;
};

#define REFILL_MIN_BITS 56

/* One refill covers the longest code with its extra bits. */
STATIC_ASSERT(REFILL_MIN_BITS >= MAX_CODE_BITS + MAX_EXTRA_BITS);

/*
 * What may be read past the end before somebody looks: the rest of an MCU, every
 * coefficient with the longest code, and a refill.
 */
#define SEGMENT_SLACK \
	(MAX_MCU_BLOCKS * 64 * (MAX_CODE_BITS + MAX_EXTRA_BITS) / 8 + 16)

/* Let REFILL_MIN_BITS be in 'buf'. */
static ALWAYS_INLINE void
bits_refill(struct bitreader *br)
{
	br->buf |= load_be64(br->next) >> (~br->used & 63);
	br->next += br->used >> 3;
	br->used &= 7;
}

static ALWAYS_INLINE void
bits_consume(struct bitreader *br, u32 nbits)
{
	br->buf <<= nbits;
	br->used += nbits;
}

/* Bits consumed since 'start', the segment's first byte. */
static ALWAYS_INLINE u64
bits_position(const struct bitreader *br, const u8 *start)
{
	return (u64)(br->next - start) * 8 + br->used - 63;
}

/* Go to bit 'position' of the segment that begins at 'start'. */
static ALWAYS_INLINE void
bits_seek(struct bitreader *br, const u8 *start, u64 position)
{
	const u32 bit = position & 7;

	br->next = start + position / 8;
	br->buf = load_be64(br->next) << bit;
	br->next += 7;
	br->used = 7 + bit;
	bits_refill(br);
}

#endif /* DCTLOAD_BITREADER_H */

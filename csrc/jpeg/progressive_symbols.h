/* SPDX-License-Identifier: MIT */
/* progressive_symbols.h - what the scans of progressive files have in common */
#ifndef DCTLOAD_PROGRESSIVE_SYMBOLS_H
#define DCTLOAD_PROGRESSIVE_SYMBOLS_H

#include "scan_progressive.h"

/* Whether bits that are not in the file have been used. */
static ALWAYS_INLINE bool
is_past_end(const struct progressive_scan *s, const struct bitreader *br)
{
	return bits_position(br, s->start) > (u64)(s->end - s->start) * 8;
}

static ALWAYS_INLINE enum dctload_status
fail(struct progressive_scan *s, struct bitreader *br,
     enum dctload_status status)
{
	const u64 position = bits_position(br, s->start);
	const u64 end = (u64)(s->end - s->start) * 8;

	s->error_position = position < end ? position : end;
	return position > end && !s->zero_fill ? DCTLOAD_TRUNCATED : status;
}

/* Where zeros stand in for a code's missing bits, do as libjpeg does. */
static ALWAYS_INLINE bool
is_forgiven(const struct progressive_scan *s, const struct bitreader *br)
{
	return s->zero_fill && is_past_end(s, br);
}

/*
 * The next symbol << 8 and its code's length; 0 if the bits are no code.  They
 * stay, so that its extra bits can be consumed with it, in one step.
 */
static ALWAYS_INLINE u32
peek_symbol(struct progressive_scan *s, struct bitreader *br,
	    const struct huff_codes *codes)
{
	u32 found;

	bits_refill(br);
	found = huff_find(codes, br->buf);
	if (likely(found != 0))
		return found;
	if (!s->zero_fill || bits_position(br, s->start) + MAX_CODE_BITS <=
				     (u64)(s->end - s->start) * 8)
		return 0;
	return MAX_CODE_BITS; /* symbol 0, as in libjpeg */
}

/* The next 'n' bits, at most 32, as a number. */
static ALWAYS_INLINE u32
next_bits(struct bitreader *br, u32 n)
{
	const u32 value = (u32)(br->buf >> 1 >> (63 - n));

	bits_consume(br, n);
	return value;
}

static ALWAYS_INLINE enum dctload_status
check_end(struct progressive_scan *s, struct bitreader *br)
{
	const u64 end = (u64)(s->end - s->start) * 8;

	if (likely(bits_position(br, s->start) <= end))
		return DCTLOAD_OK;
	s->error_position = end;
	return DCTLOAD_TRUNCATED;
}

/* Consume an end-of-band symbol of category 'run': how many blocks it ends. */
static ALWAYS_INLINE u32
take_eob_run(struct bitreader *br, u32 len, u32 run)
{
	const u32 extra = (u32)(br->buf << len >> 1 >> (63 - run));

	bits_consume(br, len + run);
	return (1u << run) + extra;
}

/* A symbol that ends a band; 0, which is none, does not. */
static ALWAYS_INLINE bool
is_eob(u32 found)
{
	return (found != 0) & ((found >> 8 & 15) == 0) & (found >> 12 != 15);
}

/* A block and which of its coefficients are not zero. */
struct ac_block {
	s16 *coefs;
	u64 *nonzero;
};

/* AC scans have one component, so an MCU is a block. */
static ALWAYS_INLINE struct ac_block
ac_block_at(const struct ac_block *first, u32 i)
{
	return (struct ac_block){ first->coefs + (size_t)i * BLOCK_COEFS,
				  first->nonzero + i };
}

static ALWAYS_INLINE struct ac_block
first_ac_block(const struct progressive_scan *s)
{
	const u32 c = s->header->component[0];

	return (struct ac_block){ s->grid[c],
				  s->words->nonzero.words + s->first_block[c] };
}

#endif /* DCTLOAD_PROGRESSIVE_SYMBOLS_H */

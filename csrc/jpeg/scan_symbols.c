/* SPDX-License-Identifier: MIT */
/*
 * scan_symbols.c - sequential scans symbol by symbol: the rare cases, what is wrong
 * with a run, and what comes after the last one
 */

#include "scan.h"

#define ZRL_SYMBOL 0xF0

/* ---- symbol by symbol -------------------------------------------------- */

static const struct scan_slot *
slot_of(const struct scan_lane *lane, const struct scan_block *block)
{
	return &lane->slots[(u32)(block - lane->window) % lane->num_slots];
}

/* Whether the next code may be made of zeros that are not in the file. */
static bool
is_near_end(const struct scan_lane *lane)
{
	return bits_position(&lane->bits, lane->start) + MAX_CODE_BITS >
	       (u64)(lane->end - lane->start) * 8;
}

/*
 * The next symbol, << 8, and its code's length; 0 if there is none.  libjpeg
 * takes a code that does not exist for symbol 0; we do where data are missing.
 */
static u32
next_symbol(struct scan_lane *lane, const struct huff_codes *codes)
{
	u32 found;

	bits_refill(&lane->bits);
	lane->error_position = bits_position(&lane->bits, lane->start);
	found = huff_find(codes, lane->bits.buf);
	if (unlikely(found == 0) && lane->zero_fill && is_near_end(lane))
		return MAX_CODE_BITS;
	return found;
}

/* The DC difference of the current block. */
static enum dctload_status
decode_dc(struct scan_lane *lane)
{
	const struct scan_slot *const slot = slot_of(lane, lane->block);
	const u32 found = next_symbol(lane, &slot->dc->codes);
	const u32 size = found >> 8;

	if (unlikely(found == 0))
		return DCTLOAD_BAD_CODE;
	bits_consume(&lane->bits, found & 0xFF);
	lane->block->coefs[0] = (s16)huff_extend(lane->bits.buf, size);
	bits_consume(&lane->bits, size);
	lane->offset = sizeof(s16);
	return DCTLOAD_OK;
}

/*
 * One AC symbol of the current block (T.81 figure F.13).  The block is complete
 * if 'offset' is its size then.
 */
static enum dctload_status
decode_ac_symbol(struct scan_lane *lane)
{
	const u32 found = next_symbol(lane, huff_codes_of(lane->block->ac));
	const u32 run = found >> 12, size = found >> 8 & 15;
	u32 k = lane->offset / sizeof(s16);

	if (unlikely(found == 0))
		return DCTLOAD_BAD_CODE;
	if (size == 0) {
		bits_consume(&lane->bits, found & 0xFF);
		/*
		 * Any (run, 0) but ZRL ends the block, and a ZRL may lead past
		 * its end, as in libjpeg.
		 */
		k = found >> 8 == ZRL_SYMBOL ? min_u32(k + 16, BLOCK_COEFS) :
					       BLOCK_COEFS;
		lane->offset = k * sizeof(s16);
		return DCTLOAD_OK;
	}
	k += run;
	bits_consume(&lane->bits, found & 0xFF);
	/* libjpeg stores it in the last place; so do we past the data's end. */
	if (unlikely(k >= BLOCK_COEFS)) {
		if (!lane->zero_fill || !scan_is_past_end(lane))
			return DCTLOAD_BAD_RUN;
		k = BLOCK_COEFS - 1;
	}
	lane->block->coefs[k] = (s16)huff_extend(lane->bits.buf, size);
	bits_consume(&lane->bits, size);
	lane->offset = (k + 1) * sizeof(s16);
	return DCTLOAD_OK;
}

static enum dctload_status
finish_block(struct scan_lane *lane)
{
	enum dctload_status status = DCTLOAD_OK;

	while (status == DCTLOAD_OK && lane->offset != BLOCK_NBYTES)
		status = decode_ac_symbol(lane);
	return status;
}

/* Zero the current block from 'offset' on. */
static void
clear_rest(struct scan_lane *lane)
{
	memset((u8 *)lane->block->coefs + lane->offset, 0,
	       BLOCK_NBYTES - lane->offset);
}

/* What the conditional moves of a step do. */
static void
choose_table(struct scan_lane *lane)
{
	if (lane->offset != BLOCK_NBYTES) {
		lane->table = lane->block->ac;
		return;
	}
	lane->table = lane->block->next_dc;
	lane->block++;
	lane->offset = 0;
}

bool
scan_finish_step(struct scan_lane *lane, huff_run_entry entry)
{
	enum dctload_status status;

	lane->offset -= RUN_ADVANCE(entry);
	if (RUN_ADVANCE(entry) == RUN_MISS) {
		status = lane->offset == 0 ? decode_dc(lane) :
					     decode_ac_symbol(lane);
	} else {
		/* Its symbols belong to two blocks: take it back. */
		clear_rest(lane);
		bits_seek(&lane->bits, lane->start,
			  bits_position(&lane->bits, lane->start) -
				  RUN_NBITS(entry));
		status = finish_block(lane);
	}
	choose_table(lane);
	return status == DCTLOAD_OK;
}

/* ---- again, to see what is wrong --------------------------------------- */

/* One block; 'pred' is its component's. */
static enum dctload_status
redo_block(struct scan_lane *lane, s32 *pred)
{
	enum dctload_status status;

	lane->offset = 0;
	clear_rest(lane);
	status = decode_dc(lane);
	if (status != DCTLOAD_OK)
		return status;
	/* libjpeg lets DC wrap around. */
	*pred += lane->block->coefs[0];
	if (*pred != (s16)*pred)
		return DCTLOAD_BAD_COEFFICIENT;
	return finish_block(lane);
}

enum dctload_status
scan_redo_run(struct scan_lane *lane, u32 *num_mcus_ret)
{
	s32 pred[DCTLOAD_MAX_COMPONENTS];
	size_t num_blocks;
	bool past_end = false;

	memcpy(pred, lane->dc_pred, sizeof(pred));
	bits_seek(&lane->bits, lane->start, lane->run_position);
	for (lane->block = lane->run_begin; lane->block != lane->run_end;
	     lane->block++) {
		const struct scan_slot *const slot = slot_of(lane, lane->block);
		enum dctload_status status;

		if (past_end && slot == lane->slots)
			break;
		status = redo_block(lane, &pred[slot->component]);
		past_end |= scan_is_past_end(lane);
		if (past_end && !lane->zero_fill)
			return DCTLOAD_TRUNCATED;
		if (status != DCTLOAD_OK)
			return status;
	}
	/* The MCUs that are there become the last ones of the window. */
	num_blocks = (size_t)(lane->block - lane->run_begin);
	for (size_t i = num_blocks; i-- != 0;)
		memmove((lane->run_end - num_blocks)[i].coefs,
			lane->run_begin[i].coefs, BLOCK_NBYTES);
	*num_mcus_ret = (u32)num_blocks / lane->num_slots;
	return past_end ? DCTLOAD_TRUNCATED : DCTLOAD_OK;
}

/* ---- what comes after the last run ------------------------------------- */

/* Fewer than 8 bits are left, all ones. */
static bool
is_filled_up(const struct scan_lane *lane, u64 position, u64 end)
{
	return position <= end && end - position < 8 &&
	       (position == end ||
		(u8)(lane->end[-1] | 0xFF << (end - position)) == 0xFF);
}

/* Whether blocks go on from 'begin', with slot 'first', to 'end'. */
static bool
are_blocks(struct scan_lane *lane, u64 begin, u32 first, u64 end)
{
	const bool is_last = end == (u64)(lane->end - lane->start) * 8;

	bits_seek(&lane->bits, lane->start, begin);
	for (u32 i = first;; i = i + 1 == lane->num_slots ? 0 : i + 1) {
		const u64 position = bits_position(&lane->bits, lane->start);

		if (is_last && i == 0 && is_filled_up(lane, position, end))
			return true;
		if (position >= end)
			return !is_last;
		lane->block = &lane->window[i];
		lane->offset = 0;
		clear_rest(lane);
		if (decode_dc(lane) != DCTLOAD_OK ||
		    finish_block(lane) != DCTLOAD_OK)
			return false;
	}
}

bool
scan_goes_on(struct scan_lane *lane, u64 nbits)
{
	const u64 begin = bits_position(&lane->bits, lane->start);
	const u64 all = (u64)(lane->end - lane->start) * 8;
	const u64 end = nbits < all - begin ? begin + nbits : all;
	bool found = false;

	lane->left_blocks = true;
	for (u32 i = 0; i < lane->num_slots && !found; i++)
		found = are_blocks(lane, begin, i, end);
	bits_seek(&lane->bits, lane->start, begin);
	return found;
}

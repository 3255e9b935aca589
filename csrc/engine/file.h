/* SPDX-License-Identifier: MIT */
/* file.h - a whole file into memory */
#ifndef DCTLOAD_FILE_H
#define DCTLOAD_FILE_H

#include "../common.h"

/* Where a file goes: NULL if there is no memory. */
struct file_memory {
	u8 *(*alloc)(void *ctx, size_t nbytes);
	void *ctx;
};

/*
 * Read the regular file 'path'.  DCTLOAD_IO sets '*system_error_ret' to an errno
 * value; anything but a regular file is EISDIR or EINVAL, so a named pipe never
 * blocks a worker.
 *
 * A file of more than 'max_nbytes' is FILE_TOO_LARGE, and a large one that is not a
 * JPEG is NOT_JPEG: no memory is taken for it, '*in_ret' stays as it was, and
 * '*in_nbytes_ret' is its size.
 */
enum dctload_status
file_read(const char *path, u64 max_nbytes, const struct file_memory *memory,
	  const u8 **in_ret, size_t *in_nbytes_ret, s32 *system_error_ret);

#endif /* DCTLOAD_FILE_H */

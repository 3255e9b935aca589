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
 */
enum dctload_status
file_read(const char *path, const struct file_memory *memory, const u8 **in_ret,
	  size_t *in_nbytes_ret, s32 *system_error_ret);

#endif /* DCTLOAD_FILE_H */

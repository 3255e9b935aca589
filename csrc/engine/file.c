/* SPDX-License-Identifier: MIT */
/* file.c - a whole file into memory */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../jpeg/markers.h"
#include "file.h"

/*
 * The kernel reads ahead 128 KiB at a time.  From there on one request for the
 * whole file keeps the disk or the network busy instead of a round trip for
 * each window; below, the hint would be one more system call for nothing.
 */
#define FADVISE_MIN_NBYTES ((size_t)128 << 10)

/* Until 'nbytes' or the end of the file; returns an errno value or 0. */
static int
read_fully(int fd, u8 *out, size_t nbytes, size_t *nbytes_ret)
{
	size_t have = 0;

	while (have < nbytes) {
		const ssize_t n = read(fd, out + have, nbytes - have);

		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
		else if (errno != EINTR)
			return errno;
	}
	*nbytes_ret = have;
	return 0;
}

/* The size of the regular file 'fd'; returns an errno value or 0. */
static int
regular_size(int fd, size_t *nbytes_ret)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	*nbytes_ret = (size_t)st.st_size;
	return 0;
}

/*
 * Whatever is called .jpg: a disk image takes as much memory and time as it is
 * large, to be no JPEG in the end.  Below, looking first would cost every file more
 * than it saves.
 */
#define PEEK_MIN_NBYTES ((size_t)4 << 20)

static bool
is_jpeg(int fd)
{
	u8 soi[2] = { 0, 0 };

	/* What cannot be read now is found out, and named, by reading all. */
	return pread(fd, soi, sizeof(soi), 0) != (ssize_t)sizeof(soi) ||
	       (soi[0] == 0xFF && soi[1] == MARKER_SOI);
}

static enum dctload_status
read_open_file(int fd, u64 max_nbytes, const struct file_memory *memory,
	       const u8 **in_ret, size_t *in_nbytes_ret, s32 *system_error_ret)
{
	size_t nbytes = 0;
	u8 *out;

	*system_error_ret = regular_size(fd, &nbytes);
	if (*system_error_ret != 0)
		return DCTLOAD_IO;
	*in_nbytes_ret = nbytes;
	if (nbytes > max_nbytes)
		return DCTLOAD_FILE_TOO_LARGE;
	if (nbytes >= PEEK_MIN_NBYTES && !is_jpeg(fd))
		return DCTLOAD_NOT_JPEG;
	out = memory->alloc(memory->ctx, nbytes);
	if (out == NULL)
		return DCTLOAD_NO_MEMORY;
#ifdef POSIX_FADV_WILLNEED
	if (nbytes >= FADVISE_MIN_NBYTES)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
#endif
	*system_error_ret = read_fully(fd, out, nbytes, in_nbytes_ret);
	if (*system_error_ret != 0)
		return DCTLOAD_IO;
	*in_ret = out;
	return DCTLOAD_OK;
}

enum dctload_status
file_read(const char *path, u64 max_nbytes, const struct file_memory *memory,
	  const u8 **in_ret, size_t *in_nbytes_ret, s32 *system_error_ret)
{
	enum dctload_status status;
	int fd;

	do {
		/* O_NONBLOCK: a named pipe without a writer does not hang. */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		*system_error_ret = errno;
		return DCTLOAD_IO;
	}
	status = read_open_file(fd, max_nbytes, memory, in_ret, in_nbytes_ret,
				system_error_ret);
	(void)close(fd);
	return status;
}

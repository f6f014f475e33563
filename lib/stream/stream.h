/*
 * stream: what the services with streams of events share: a directory of files by name, READ of a stream at an offset, and those
 * that wait there (docs/pc.md). A file without a ring is the service's own to read.
 *
 * READ at n * 24 gives events from number n + 1 on. A reader ahead of the stream has read another one, whose maker lost its
 * state: ERR_INVALID, and it begins at 0 again. STAT's size leads to the events that come from now on.
 */
#pragma once
#include <gen/file.h>
#include <rt/svc.h>
#include "ring.h"

#define STREAM_FILES 4

struct stream_file {
	const char *name;
	const struct ring *ring;    /* NULL: no stream */
	bool writable;
	bool hidden;                /* not there now */
};

struct stream_waiting { struct stream_waiting *next; cmd_id_t cmd; uint64_t seen; uint32_t room, file; };

struct stream_dir {
	struct stream_file file[STREAM_FILES];  /* file i has the badge i + 1; the directory 0 */
	uint32_t n;
	struct stream_waiting *first, **last;   /* READs, oldest first */
};

void stream_init(struct stream_dir *d);
/* The file that a badge names; NULL: the directory, or none. */
const struct stream_file *stream_file(const struct stream_dir *d, uint64_t badge);
/* These, and stream_cancel, are hooks as they are: of a service whose `self` is its directory. */
must_use status_t stream_open(void *dir, struct svc_cmd *c, const struct file_open_req *q, struct file_open_rep *p);
must_use status_t stream_stat(void *dir, struct svc_cmd *c, const struct file_stat_req *q, struct file_stat_rep *p);
must_use status_t stream_readdir(void *dir, struct svc_cmd *c, const struct file_readdir_req *q, struct file_readdir_rep *p);
/* For files with a ring: the answer now, or SVC_LATER. */
must_use status_t stream_read(struct stream_dir *d, struct svc_cmd *c, const struct file_read_req *q, struct file_read_rep *p);
/* What a WRITE of EV_LED events makes of the lights, a bit for each. ERR_INVALID, and those of svc_read_in: nothing has changed. */
must_use status_t stream_lights(const struct svc_cmd *c, uint32_t *lights);
/* Answers those who wait for what is there now: to be called after events were committed. */
void stream_serve(struct stream_dir *d);
void stream_cancel(void *dir, cmd_id_t cmd);

#ifndef CFAULTDISK_H
#define CFAULTDISK_H

#include <stddef.h>
#include <stdint.h>

/// A folder whose files are followed from one sync to the next.
typedef struct fault_disk fault_disk;

/// What a power cut leaves of the writes since the last sync.
typedef enum {
    FAULT_IMAGE_NONE,
    FAULT_IMAGE_ALL,
    /// The first few, as many as chance says.
    FAULT_IMAGE_PREFIX,
    /// Each or not, by chance.
    FAULT_IMAGE_SUBSET,
    /// Each sector of 512 bytes or not, by chance.
    FAULT_IMAGE_TORN,
} fault_image_mode;

typedef enum { FAULT_WRITE, FAULT_SYNC, FAULT_TRUNCATE, FAULT_READ, FAULT_KINDS } fault_kind;

typedef enum { FAULT_EIO, FAULT_ENOSPC } fault_error;

/// Called before the n-th sync of the folder's files takes effect, counted from 1.
typedef void (*fault_sync_hook)(void *context, int64_t number);

/// Puts the watching file system in front of SQLite's own, once for the process. Files outside watched
/// folders pass through. 0 is success.
int fault_disk_install(void);

/// Follows `folder` from now on; what lies there now counts as safe on the disk.
fault_disk *fault_disk_watch(const char *folder);
void fault_disk_release(fault_disk *disk);

void fault_disk_on_sync(fault_disk *disk, fault_sync_hook hook, void *context);

/// Calls of a kind until now.
int64_t fault_disk_count(fault_disk *disk, fault_kind kind);

/// The `number`-th call of a kind from now fails, and with `stays` every later one. After a failed sync
/// what it should have kept is lost to the disk although the program still reads it, as on Linux.
void fault_disk_fail(
    fault_disk *disk, fault_kind kind, int64_t number, fault_error error, int stays);
void fault_disk_heal(fault_disk *disk);
/// How many calls have failed since `fault_disk_fail`.
int64_t fault_disk_failed(fault_disk *disk);

/// The process ends before the `number`-th call from now that writes, syncs, truncates or deletes: that and
/// every later one fails and changes nothing. 0: it goes on, as the next process does.
void fault_disk_stop(fault_disk *disk, int64_t number);
/// Such calls until now.
int64_t fault_disk_moves(fault_disk *disk);

/// Syncs of files whose name contains `part` say yes and keep nothing. NULL: an honest disk again.
void fault_disk_lie(fault_disk *disk, const char *part);

/// Writes what a power cut at this moment could leave into the folder `to`, which exists. 0 is success.
int fault_disk_image(fault_disk *disk, fault_image_mode mode, uint64_t seed, const char *to);

/// For files that are not SQLite's: the same calls on them, with their errors. They do the call too.
int64_t fault_disk_pwrite(
    fault_disk *disk, const char *path, int file, const void *bytes, size_t size, int64_t offset);
int fault_disk_fdatasync(fault_disk *disk, const char *path, int file);

#endif

#include "CFaultDisk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

/* ---- What is on the disk, and what is on its way there -------------------------------------- */

typedef enum { CHANGE_WRITE, CHANGE_TRUNCATE, CHANGE_DELETE } change_kind;

typedef struct change {
    change_kind kind;
    int64_t offset;
    int64_t size;
    unsigned char *bytes;
    struct change *next;
} change;

typedef struct {
    unsigned char *bytes;
    int64_t size;
    int64_t room;
    int exists;
} content;

typedef struct shadow {
    char *path;
    content durable;
    change *first, *last;
    int64_t pending;
    struct shadow *next;
} shadow;

struct fault_disk {
    char *folder;
    shadow *files;
    fault_sync_hook hook;
    void *context;
    int64_t syncs;
    int64_t counts[FAULT_KINDS];
    /* The fault that was ordered: at this count of this kind. */
    int armed, stays;
    fault_kind kind;
    fault_error error;
    int64_t at, failed;
    /* Calls that change something, and the first that the process does not live to see. */
    int64_t moves, stop;
    char *lie;
    struct fault_disk *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fault_disk *disks;

static void grow(content *file, int64_t size) {
    if (size > file->room) {
        int64_t room = size * 2 + 4096;
        file->bytes = realloc(file->bytes, (size_t)room);
        if (!file->bytes) abort();
        file->room = room;
    }
    if (size > file->size) {
        memset(file->bytes + file->size, 0, (size_t)(size - file->size));
        file->size = size;
    }
}

static void put(content *file, const change *made, int64_t from, int64_t size) {
    file->exists = 1;
    grow(file, made->offset + from + size);
    memcpy(file->bytes + made->offset + from, made->bytes + from, (size_t)size);
}

static void apply(content *file, const change *made) {
    switch (made->kind) {
    case CHANGE_WRITE: put(file, made, 0, made->size); break;
    case CHANGE_TRUNCATE:
        if (made->size < file->size) file->size = made->size;
        else grow(file, made->size);
        break;
    case CHANGE_DELETE:
        file->exists = 0;
        file->size = 0;
        break;
    }
}

static void forget(shadow *file) {
    while (file->first) {
        change *gone = file->first;
        file->first = gone->next;
        free(gone->bytes);
        free(gone);
    }
    file->last = NULL;
    file->pending = 0;
}

static void keep(shadow *file) {
    for (change *made = file->first; made; made = made->next) apply(&file->durable, made);
    file->durable.exists = 1;
    forget(file);
}

static void note(
    shadow *file, change_kind kind, int64_t offset, int64_t size, const void *bytes) {
    change *made = calloc(1, sizeof *made);
    if (!made) abort();
    made->kind = kind;
    made->offset = offset;
    made->size = size;
    if (bytes) {
        made->bytes = malloc((size_t)(size ? size : 1));
        if (!made->bytes) abort();
        memcpy(made->bytes, bytes, (size_t)size);
    }
    if (file->last) file->last->next = made;
    else file->first = made;
    file->last = made;
    file->pending += 1;
}

static fault_disk *disk_of(const char *path) {
    if (!path) return NULL;
    for (fault_disk *disk = disks; disk; disk = disk->next) {
        size_t size = strlen(disk->folder);
        if (strncmp(path, disk->folder, size) == 0 && path[size] == '/') return disk;
    }
    return NULL;
}

/* A file met for the first time: what lies there counts as safe. */
static shadow *shadow_of(fault_disk *disk, const char *path) {
    for (shadow *file = disk->files; file; file = file->next)
        if (strcmp(file->path, path) == 0) return file;
    shadow *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path))) abort();
    int found = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (found >= 0 && fstat(found, &status) == 0) {
        file->durable.exists = 1;
        grow(&file->durable, status.st_size);
        if (pread(found, file->durable.bytes, (size_t)status.st_size, 0) != status.st_size)
            abort();
    }
    if (found >= 0) close(found);
    file->next = disk->files;
    disk->files = file;
    return file;
}

/* Whether this call is to fail; counts it. */
static int fails(fault_disk *disk, fault_kind kind) {
    int64_t number = ++disk->counts[kind];
    if (!disk->armed || disk->kind != kind) return 0;
    if (number != disk->at && !(disk->stays && number > disk->at)) return 0;
    disk->failed += 1;
    return 1;
}

/* Whether the process had ended before this call, which changes something; counts it. */
static int stopped(fault_disk *disk) {
    disk->moves += 1;
    return disk->stop && disk->moves >= disk->stop;
}

static int begin_move(fault_disk *disk) {
    pthread_mutex_lock(&lock);
    int found = stopped(disk);
    pthread_mutex_unlock(&lock);
    return found;
}

/* ---- Power cuts ------------------------------------------------------------------------------ */

static uint64_t draw(uint64_t *state) {
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static void cut(
    const shadow *file, fault_image_mode mode, uint64_t *dice, content *left) {
    grow(left, file->durable.size);
    if (file->durable.size)
        memcpy(left->bytes, file->durable.bytes, (size_t)file->durable.size);
    left->exists = file->durable.exists;
    int64_t upTo = mode == FAULT_IMAGE_PREFIX
        ? (int64_t)(draw(dice) % (uint64_t)(file->pending + 1)) : 0;
    int64_t number = 0;
    for (const change *made = file->first; made; made = made->next, number += 1) {
        switch (mode) {
        case FAULT_IMAGE_NONE: break;
        case FAULT_IMAGE_ALL: apply(left, made); break;
        case FAULT_IMAGE_PREFIX:
            if (number < upTo) apply(left, made);
            break;
        case FAULT_IMAGE_SUBSET:
            if (draw(dice) & 1) apply(left, made);
            break;
        case FAULT_IMAGE_TORN:
            if (made->kind != CHANGE_WRITE) {
                if (draw(dice) & 1) apply(left, made);
                break;
            }
            for (int64_t from = 0; from < made->size;) {
                int64_t end = ((made->offset + from) / SECTOR + 1) * SECTOR - made->offset;
                if (end > made->size) end = made->size;
                if (draw(dice) & 1) put(left, made, from, end - from);
                from = end;
            }
            break;
        }
    }
}

static int save(const content *left, const char *path) {
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    int64_t done = 0;
    while (done < left->size) {
        ssize_t count = write(file, left->bytes + done, (size_t)(left->size - done));
        if (count <= 0) break;
        done += count;
    }
    close(file);
    return done == left->size ? 0 : -1;
}

/* Each file has dice of its own: in which order files were met is no part of the model. */
static uint64_t dice_for(const char *name, uint64_t seed) {
    uint64_t mixed = seed ^ 0xcbf29ce484222325u;
    for (; *name; name += 1) mixed = (mixed ^ (unsigned char)*name) * 0x100000001b3u;
    return mixed;
}

int fault_disk_image(fault_disk *disk, fault_image_mode mode, uint64_t seed, const char *to) {
    int result = 0;
    pthread_mutex_lock(&lock);
    for (const shadow *file = disk->files; file && result == 0; file = file->next) {
        content left = {0};
        uint64_t dice = dice_for(file->path + strlen(disk->folder), seed);
        cut(file, mode, &dice, &left);
        if (left.exists) {
            char path[4096];
            snprintf(path, sizeof path, "%s%s", to, file->path + strlen(disk->folder));
            result = save(&left, path);
        }
        free(left.bytes);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

/* ---- Watching and ordering faults ------------------------------------------------------------ */

fault_disk *fault_disk_watch(const char *folder) {
    fault_disk *disk = calloc(1, sizeof *disk);
    if (!disk || !(disk->folder = strdup(folder))) abort();
    pthread_mutex_lock(&lock);
    disk->next = disks;
    disks = disk;
    DIR *found = opendir(folder);
    for (struct dirent *item; found && (item = readdir(found));) {
        char path[4096];
        size_t size = strlen(item->d_name);
        int isMemory = size > 4 && strcmp(item->d_name + size - 4, "-shm") == 0;
        if (item->d_type != DT_REG || isMemory) continue;
        snprintf(path, sizeof path, "%s/%s", folder, item->d_name);
        shadow_of(disk, path);
    }
    if (found) closedir(found);
    pthread_mutex_unlock(&lock);
    return disk;
}

void fault_disk_release(fault_disk *disk) {
    pthread_mutex_lock(&lock);
    for (fault_disk **link = &disks; *link; link = &(*link)->next) {
        if (*link == disk) {
            *link = disk->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    while (disk->files) {
        shadow *file = disk->files;
        disk->files = file->next;
        forget(file);
        free(file->durable.bytes);
        free(file->path);
        free(file);
    }
    free(disk->lie);
    free(disk->folder);
    free(disk);
}

void fault_disk_on_sync(fault_disk *disk, fault_sync_hook hook, void *context) {
    pthread_mutex_lock(&lock);
    disk->hook = hook;
    disk->context = context;
    pthread_mutex_unlock(&lock);
}

int64_t fault_disk_count(fault_disk *disk, fault_kind kind) {
    pthread_mutex_lock(&lock);
    int64_t count = disk->counts[kind];
    pthread_mutex_unlock(&lock);
    return count;
}

void fault_disk_fail(
    fault_disk *disk, fault_kind kind, int64_t number, fault_error error, int stays) {
    pthread_mutex_lock(&lock);
    disk->armed = 1;
    disk->kind = kind;
    disk->at = disk->counts[kind] + number;
    disk->error = error;
    disk->stays = stays;
    disk->failed = 0;
    pthread_mutex_unlock(&lock);
}

void fault_disk_heal(fault_disk *disk) {
    pthread_mutex_lock(&lock);
    disk->armed = 0;
    pthread_mutex_unlock(&lock);
}

int64_t fault_disk_failed(fault_disk *disk) {
    pthread_mutex_lock(&lock);
    int64_t failed = disk->failed;
    pthread_mutex_unlock(&lock);
    return failed;
}

void fault_disk_lie(fault_disk *disk, const char *part) {
    pthread_mutex_lock(&lock);
    free(disk->lie);
    disk->lie = part ? strdup(part) : NULL;
    pthread_mutex_unlock(&lock);
}

void fault_disk_stop(fault_disk *disk, int64_t number) {
    pthread_mutex_lock(&lock);
    disk->stop = number ? disk->moves + number : 0;
    pthread_mutex_unlock(&lock);
}

int64_t fault_disk_moves(fault_disk *disk) {
    pthread_mutex_lock(&lock);
    int64_t moves = disk->moves;
    pthread_mutex_unlock(&lock);
    return moves;
}

/* The hook runs without the lock: it takes images. 1: fails; -1: lies; 0: goes on. */
static int begin_sync(fault_disk *disk, const char *path) {
    pthread_mutex_lock(&lock);
    int64_t number = ++disk->syncs;
    fault_sync_hook hook = disk->hook;
    void *context = disk->context;
    pthread_mutex_unlock(&lock);
    if (hook) hook(context, number);
    pthread_mutex_lock(&lock);
    int verdict = fails(disk, FAULT_SYNC) ? 1 : disk->lie && strstr(path, disk->lie) ? -1 : 0;
    /* Who ended before the sync loses nothing by it. */
    if (stopped(disk)) verdict = 1;
    else if (verdict == 1) forget(shadow_of(disk, path));
    pthread_mutex_unlock(&lock);
    return verdict;
}

static void end_sync(fault_disk *disk, const char *path) {
    pthread_mutex_lock(&lock);
    keep(shadow_of(disk, path));
    pthread_mutex_unlock(&lock);
}

/* 1 where the call is to fail, and then how. */
static int begin_call(fault_disk *disk, fault_kind kind, fault_error *error) {
    pthread_mutex_lock(&lock);
    int found = fails(disk, kind);
    *error = disk->error;
    pthread_mutex_unlock(&lock);
    return found;
}

int64_t fault_disk_pwrite(
    fault_disk *disk, const char *path, int file, const void *bytes, size_t size,
    int64_t offset) {
    fault_error error;
    if (begin_call(disk, FAULT_WRITE, &error) || begin_move(disk)) {
        errno = error == FAULT_ENOSPC ? ENOSPC : EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    shadow *followed = shadow_of(disk, path);
    int64_t done = pwrite(file, bytes, size, offset);
    if (done > 0) note(followed, CHANGE_WRITE, offset, done, bytes);
    pthread_mutex_unlock(&lock);
    return done;
}

int fault_disk_fdatasync(fault_disk *disk, const char *path, int file) {
    int verdict = begin_sync(disk, path);
    if (verdict == 1) {
        errno = disk->error == FAULT_ENOSPC ? ENOSPC : EIO;
        return -1;
    }
    int result = fdatasync(file);
    if (result == 0 && verdict == 0) end_sync(disk, path);
    return result;
}

/* ---- SQLite's side --------------------------------------------------------------------------- */

typedef struct {
    sqlite3_file base;
    fault_disk *disk;
    char *path;
    sqlite3_file *real;
} faulty_file;

static sqlite3_vfs *below;

#define REAL(file) (((faulty_file *)(file))->real)

static int faulty_close(sqlite3_file *file) {
    int code = REAL(file)->pMethods->xClose(REAL(file));
    free(((faulty_file *)file)->path);
    return code;
}

static int faulty_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
    faulty_file *my = (faulty_file *)file;
    fault_error error;
    if (my->disk && begin_call(my->disk, FAULT_READ, &error)) return SQLITE_IOERR_READ;
    return my->real->pMethods->xRead(my->real, bytes, size, offset);
}

static int faulty_write(
    sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    faulty_file *my = (faulty_file *)file;
    fault_error error;
    if (!my->disk) return my->real->pMethods->xWrite(my->real, bytes, size, offset);
    if (begin_call(my->disk, FAULT_WRITE, &error))
        return error == FAULT_ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    if (begin_move(my->disk)) return SQLITE_IOERR_WRITE;
    int code = my->real->pMethods->xWrite(my->real, bytes, size, offset);
    if (code == SQLITE_OK) {
        pthread_mutex_lock(&lock);
        note(shadow_of(my->disk, my->path), CHANGE_WRITE, offset, size, bytes);
        pthread_mutex_unlock(&lock);
    }
    return code;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size) {
    faulty_file *my = (faulty_file *)file;
    fault_error error;
    if (!my->disk) return my->real->pMethods->xTruncate(my->real, size);
    if (begin_call(my->disk, FAULT_TRUNCATE, &error)) return SQLITE_IOERR_TRUNCATE;
    if (begin_move(my->disk)) return SQLITE_IOERR_TRUNCATE;
    int code = my->real->pMethods->xTruncate(my->real, size);
    if (code == SQLITE_OK) {
        pthread_mutex_lock(&lock);
        note(shadow_of(my->disk, my->path), CHANGE_TRUNCATE, 0, size, NULL);
        pthread_mutex_unlock(&lock);
    }
    return code;
}

static int faulty_sync(sqlite3_file *file, int flags) {
    faulty_file *my = (faulty_file *)file;
    if (!my->disk) return my->real->pMethods->xSync(my->real, flags);
    int verdict = begin_sync(my->disk, my->path);
    if (verdict == 1) return SQLITE_IOERR_FSYNC;
    int code = my->real->pMethods->xSync(my->real, flags);
    if (code == SQLITE_OK && verdict == 0) end_sync(my->disk, my->path);
    return code;
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *size) {
    return REAL(file)->pMethods->xFileSize(REAL(file), size);
}
static int faulty_lock(sqlite3_file *file, int level) {
    return REAL(file)->pMethods->xLock(REAL(file), level);
}
static int faulty_unlock(sqlite3_file *file, int level) {
    return REAL(file)->pMethods->xUnlock(REAL(file), level);
}
static int faulty_reserved(sqlite3_file *file, int *found) {
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), found);
}
static int faulty_control(sqlite3_file *file, int order, void *argument) {
    return REAL(file)->pMethods->xFileControl(REAL(file), order, argument);
}
static int faulty_sector(sqlite3_file *file) {
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}
static int faulty_traits(sqlite3_file *file) {
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}
static int faulty_map(sqlite3_file *file, int page, int size, int grows, void volatile **at) {
    return REAL(file)->pMethods->xShmMap(REAL(file), page, size, grows, at);
}
static int faulty_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, count, flags);
}
static void faulty_barrier(sqlite3_file *file) {
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}
static int faulty_unmap(sqlite3_file *file, int deletes) {
    return REAL(file)->pMethods->xShmUnmap(REAL(file), deletes);
}

/* Version 2: shared memory, and no writing past us through maps of the file. */
static const sqlite3_io_methods methods = {
    2, faulty_close, faulty_read, faulty_write, faulty_truncate, faulty_sync, faulty_size,
    faulty_lock, faulty_unlock, faulty_reserved, faulty_control, faulty_sector, faulty_traits,
    faulty_map, faulty_shm_lock, faulty_barrier, faulty_unmap, NULL, NULL,
};

static int faulty_open(
    sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *found) {
    (void)vfs;
    faulty_file *my = (faulty_file *)file;
    memset(my, 0, sizeof *my);
    my->real = (sqlite3_file *)(my + 1);
    pthread_mutex_lock(&lock);
    my->disk = disk_of(name);
    if (my->disk) shadow_of(my->disk, name);
    pthread_mutex_unlock(&lock);
    int code = below->xOpen(below, name, my->real, flags, found);
    if (code != SQLITE_OK) return code;
    my->path = name ? strdup(name) : NULL;
    my->base.pMethods = &methods;
    return SQLITE_OK;
}

static int faulty_delete(sqlite3_vfs *vfs, const char *name, int syncs) {
    (void)vfs;
    pthread_mutex_lock(&lock);
    fault_disk *watching = disk_of(name);
    int ended = watching && stopped(watching);
    pthread_mutex_unlock(&lock);
    if (ended) return SQLITE_IOERR_DELETE;
    int code = below->xDelete(below, name, syncs);
    if (code == SQLITE_OK) {
        pthread_mutex_lock(&lock);
        fault_disk *disk = disk_of(name);
        if (disk) {
            shadow *file = shadow_of(disk, name);
            note(file, CHANGE_DELETE, 0, 0, NULL);
            if (syncs) {
                keep(file);
                file->durable.exists = 0;
            }
        }
        pthread_mutex_unlock(&lock);
    }
    return code;
}

int fault_disk_install(void) {
    static sqlite3_vfs watching;
    static int installed;
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&once);
    int code = SQLITE_OK;
    if (!installed) {
        below = sqlite3_vfs_find(NULL);
        watching = *below;
        watching.pNext = NULL;
        watching.zName = "talea-faults";
        watching.szOsFile = (int)sizeof(faulty_file) + below->szOsFile;
        watching.xOpen = faulty_open;
        watching.xDelete = faulty_delete;
        code = sqlite3_vfs_register(&watching, 1);
        installed = code == SQLITE_OK;
    }
    pthread_mutex_unlock(&once);
    return code;
}

/* Inserts rows of the table `entry` into a ledger of the same schema, with nothing around SQLite.
   usage: bare_insert ledger.sqlite rows batch...    prints seconds; the last batch size repeats */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(int status, sqlite3 *db) {
    if (status == SQLITE_OK || status == SQLITE_ROW || status == SQLITE_DONE) return;
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    exit(1);
}

static void run(sqlite3 *db, const char *sql) { check(sqlite3_exec(db, sql, NULL, NULL, NULL), db); }

int main(int count, char **words) {
    if (count < 4) return 2;
    FILE *file = fopen(words[2], "rb");
    if (!file) return 2;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *rows = malloc(size);
    if (!rows || fread(rows, 1, size, file) != (size_t)size) return 2;

    sqlite3 *db;
    check(sqlite3_open(words[1], &db), db);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = -512; PRAGMA trusted_schema = OFF;");
    sqlite3_stmt *insert;
    check(sqlite3_prepare_v2(db,
        "INSERT INTO entry (id, log, sequence, previous, author, kind, header, signature, body,"
        " ownSignatureChecked, isRival) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", -1, &insert, NULL), db);

    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    uint8_t *at = rows, *end = rows + size;
    for (int batch = 3; at < end; batch = batch + 1 < count ? batch + 1 : batch) {
        run(db, "BEGIN IMMEDIATE");
        for (long row = 0, last = atol(words[batch]); row < last && at < end; row++) {
            for (int field = 1; field <= 10; field++) {
                uint32_t length = at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
                uint8_t *bytes = at + 4;
                at = bytes + length;
                int status;
                if (field == 3 || field == 6 || field == 10) {
                    long number = 0;
                    for (uint32_t digit = 0; digit < length; digit++) number = number * 10 + bytes[digit] - '0';
                    status = sqlite3_bind_int64(insert, field, number);
                } else if (field == 4 && length == 0) {
                    status = sqlite3_bind_null(insert, field);
                } else {
                    status = sqlite3_bind_blob(insert, field, bytes, length, SQLITE_STATIC);
                }
                check(status, db);
            }
            check(sqlite3_step(insert), db);
            check(sqlite3_reset(insert), db);
        }
        run(db, "COMMIT");
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.6f\n", (ended.tv_sec - begun.tv_sec) + (ended.tv_nsec - begun.tv_nsec) / 1e9);
    return 0;
}

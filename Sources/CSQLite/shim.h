#ifndef EVODB_CSQLITE_SHIM_H
#define EVODB_CSQLITE_SHIM_H
#include <sqlite3.h>

/* Swift cannot call variadic C functions. */
static inline int evodb_sqlite3_db_config_flag(sqlite3 *db, int option, int value) {
  int now = 0;
  return sqlite3_db_config(db, option, value, &now);
}

/* SQLITE_TRANSIENT is a cast of -1, which Swift does not import. */
static inline int evodb_sqlite3_bind_text(sqlite3_stmt *statement, int index, const char *text, int length) {
  return sqlite3_bind_text(statement, index, text, length, SQLITE_TRANSIENT);
}
static inline int evodb_sqlite3_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 length) {
  return sqlite3_bind_blob64(statement, index, bytes, length, SQLITE_TRANSIENT);
}

/* Reads bytes of the main database file through SQLite's own handle: opening the file beside SQLite and closing it again
   would drop SQLite's locks (sqlite.org/howtocorrupt.html, section 2.2). */
static inline int evodb_sqlite3_read_file(sqlite3 *db, void *buffer, int count, sqlite3_int64 offset) {
  sqlite3_file *file = 0;
  int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code != SQLITE_OK) return code;
  if (!file || !file->pMethods) return SQLITE_CANTOPEN;
  return file->pMethods->xRead(file, buffer, count, offset);
}

/* Renames without replacing anything; -1 with errno where that cannot be done. Swift's Glibc module leaves these out. */
#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
static inline int evodb_rename_new(const char *from, const char *to) {
#ifdef SYS_renameat2
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */);
#else
  errno = ENOSYS;
  return -1;
#endif
}
#else
#include <stdio.h>
static inline int evodb_rename_new(const char *from, const char *to) { return renamex_np(from, to, RENAME_EXCL); }
#endif

#ifdef __linux__
#include <sys/statfs.h>
/* The magic number of the file system that holds `path`, 0 if unknown: Swift's Glibc module leaves statfs out, and what a
   database lies on decides how SQLite may be used. */
static inline unsigned long evodb_file_system_magic(const char *path) {
  struct statfs info;
  return statfs(path, &info) == 0 ? (unsigned long)info.f_type & 0xffffffffUL : 0;
}
#endif
#endif

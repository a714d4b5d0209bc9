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

/* sqlite_open.c: the file: its mode, its schema, how SQLite shall treat it, and what its errors mean for people.
 *
 * Flushes are what a run waits for, so each one is accounted for:
 *   - a new file is made without any: until the first durable commit nothing is promised. That commit flushes the write-ahead log, which holds all
 *     there is, and the directory. A power cut can then leave the database file itself empty: see lost_database().
 *   - SQLite flushes the directory with every process's first flush of the log, lest the log's name be lost. It is enough once: a bit in
 *     user_version says that it was done, and open_file() keeps SQLite from doing it again.
 *   - nothing is moved from the log to the database by itself (sqlite_write.c does so, together with a durable commit), nor on closing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/internal.h"

#define PAGE_SIZE 4096
#define VERSION_MASK 0xffff
#define NAMED 0x10000                  /* in user_version: the log's name was flushed */
#define READ_ONLY "it is read-only for this user; check its owner and mode, or choose another with --store"

int db_busy_ms = 5000;

/* Each brings the file from version i to i + 1. */
static const char *const migrations[] = {
    "CREATE TABLE runs ("
    "  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, playbook TEXT NOT NULL, digest TEXT NOT NULL, mode TEXT NOT NULL, status TEXT NOT NULL,"
    "  outcome TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, summary TEXT NOT NULL, owner TEXT NOT NULL, params TEXT NOT NULL);"
    "CREATE INDEX runs_status ON runs (status, row);"
    "CREATE TABLE events (run INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, text TEXT NOT NULL);"
    "CREATE UNIQUE INDEX events_run ON events (run, seq);"
    "CREATE TABLE blobs (digest TEXT NOT NULL UNIQUE, bytes BLOB NOT NULL);"
    "CREATE TABLE locks (key TEXT PRIMARY KEY, run TEXT NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL, owner TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX locks_run ON locks (run);",
    /* 2: what is kept of changes */
    "ALTER TABLE locks ADD COLUMN within TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE plans (row INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, run TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE answers (row INTEGER PRIMARY KEY, run TEXT NOT NULL, gate TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL,"
    "  taken INTEGER NOT NULL);"
    "CREATE INDEX answers_run ON answers (run, row);"
    "CREATE INDEX answers_new ON answers (row) WHERE NOT taken;"
    "CREATE TABLE budgets (budget TEXT NOT NULL, grp TEXT NOT NULL, run TEXT NOT NULL, path TEXT NOT NULL, attempt INTEGER NOT NULL,"
    "  at INTEGER NOT NULL, PRIMARY KEY (budget, grp, run, path, attempt)) WITHOUT ROWID;"
    "CREATE INDEX budgets_at ON budgets (budget, grp, at);"
    "CREATE TABLE seals (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL);"
    "ALTER TABLE runs ADD COLUMN wake INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE personal (run INTEGER NOT NULL, n INTEGER NOT NULL, salt BLOB NOT NULL, value TEXT, is_name INTEGER NOT NULL,"
    "  PRIMARY KEY (run, n)) WITHOUT ROWID;"
    "CREATE TABLE kept (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO kept SELECT 'schema 1', coalesce(max(row), 0) FROM runs;"
    "ALTER TABLE blobs ADD COLUMN used INTEGER NOT NULL DEFAULT 0;",
    /* 3: plans and seals may lie packed (pack.c); those that are there stay as they are */
    "",
};

/* ---- errors */

/* What the system said to SQLite, 0 when the error is SQLite's own. A commit forgets to tell, but leaves errno as it was. */
static int system_error(sqlite3 *db)
{
    int kind = sqlite3_errcode(db) & 0xff;

    if (kind != SQLITE_IOERR && kind != SQLITE_CANTOPEN)
        return 0;
    return sqlite3_system_errno(db) ? sqlite3_system_errno(db) : errno;
}

static int code_of(sqlite3 *db, int sys)
{
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_BUSY: case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_CORRUPT: case SQLITE_NOTADB: return -EBADMSG;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_CANTOPEN: case SQLITE_PERM: return sys ? -sys : -EACCES;
    case SQLITE_IOERR: return sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? -ENOSPC : -EIO;
    default: return -EIO;
    }
}

int db_error(sqlite3 *db, const char *path, const char *doing, struct ft_err *reterr)
{
    int sys = system_error(db), code = code_of(db, sys);

    switch (code) {
    case -ENOSPC:
        return ft_err_set(reterr, code, "cannot %s the store '%s': there is no space for it to grow; free some, then resume the run", doing, path);
    case -EROFS:
        return ft_err_set(reterr, code, "cannot %s the store '%s': " READ_ONLY, doing, path);
    case -EBUSY:
        return ft_err_set(reterr, code, "cannot %s the store '%s': another process has held it locked for %d ms; see which with fuser", doing, path,
                          db_busy_ms);
    case -EBADMSG:
        return ft_err_set(reterr, code, "cannot %s the store '%s': the file is damaged, or not a store of fettle (%s); move it away or choose another"
                          " with --store", doing, path, sqlite3_errmsg(db));
    default:
        return ft_err_set(reterr, code, "cannot %s the store '%s': %s%s%s", doing, path, sqlite3_errmsg(db), sys ? ": " : "", sys ? strerror(sys) : "");
    }
}

static int run_sql(sqlite3 *db, const char *path, const char *doing, const char *sql, struct ft_err *reterr)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(db, path, doing, reterr);
}

int db_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **ret, struct ft_err *reterr)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK ? 0 : db_error(db, path, "read", reterr);
}

int db_set_synchronous(sqlite3 *db, const char *level)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA synchronous=%s", level);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int pragma_int(sqlite3 *db, const char *path, const char *sql, int *ret, struct ft_err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int r = db_prepare(db, path, sql, &stmt, reterr);

    if (r < 0)
        return r;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        r = db_error(db, path, "open", reterr);
    sqlite3_finalize(stmt);
    return r;
}

/* ---- the file */

static off_t size_of(const char *path, const char *suffix)
{
    char *name = ft_asprintf("%s%s", path, suffix);
    struct stat st;
    off_t size = stat(name, &st) == 0 ? st.st_size : -1;

    free(name);
    return size;
}

static int make_directories(const char *path, struct ft_err *reterr)
{
    char *dir = ft_strdup(path);
    int r = 0;

    for (char *slash = strchr(dir + 1, '/'); slash && r == 0; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
            r = ft_err_set(reterr, -errno, "cannot create the directory '%s' for the store: %s", dir, strerror(errno));
        *slash = '/';
    }
    free(dir);
    return r;
}

/* Only ever opened here when it is new: closing a file drops the locks that this process has on it. */
static int make_file(const char *path, struct ft_err *reterr)
{
    int fd, r;

    if (size_of(path, "") >= 0)
        return 0;
    r = make_directories(path, reterr);
    if (r < 0)
        return r;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return ft_err_set(reterr, -errno, "cannot create the store '%s': %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return 0;
}

/* Nothing but the log was ever flushed, and the power was cut: the database file is empty, the log has every page. SQLite would
 * throw the log away as not belonging to an empty file; one page of zeros makes it read the log. */
static void lost_database(const char *path)
{
    if (size_of(path, "") != 0 || size_of(path, "-wal") <= 0)
        return;
    if (truncate(path, PAGE_SIZE) < 0)
        ft_log(FT_LOG_WARN, "the store '%s' is empty though its log is not, and cannot be mended: %s", path, strerror(errno));
}

/* ---- the directory's flush */

static sqlite3_vfs *plain;
static bool log_was_there;             /* when it was last opened */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    if (flags & SQLITE_OPEN_WAL)
        log_was_there = name && access(name, F_OK) == 0;
    if ((flags & SQLITE_OPEN_WAL) && log_was_there)
        flags &= ~SQLITE_OPEN_CREATE;      /* what makes SQLite flush the directory */
    return plain->xOpen(plain, name, file, flags, ret_flags);
}

/* The name of a VFS that is the plain one but for that flush. */
static const char *our_vfs(void)
{
    static sqlite3_vfs vfs;

    if (!plain) {
        plain = sqlite3_vfs_find(NULL);
        vfs = *plain;
        vfs.pNext = NULL;
        vfs.zName = "fettle";
        vfs.xOpen = open_file;
        sqlite3_vfs_register(&vfs, 0);
    }
    return vfs.zName;
}

int db_sync_directory(const char *path)
{
    char *dir = ft_strdup(path), *slash = strrchr(dir, '/');
    int fd, r = 0;

    if (slash)
        slash[slash == dir] = '\0';
    fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    free(dir);
    return r;
}

int db_note_name(sqlite3 *db)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", (int)ARRAY_LEN(migrations) | NAMED);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* ---- the schema */

/* Another process may be making the same file: SQLite's busy handler does not cover this change. */
static int use_log(sqlite3 *db, const char *path, struct ft_err *reterr)
{
    sqlite3_stmt *stmt = NULL;
    int r = db_prepare(db, path, "PRAGMA journal_mode=WAL", &stmt, reterr);
    bool is_wal = false;

    if (r < 0)
        return r;
    for (int tries = 0; tries < 500 && !is_wal; tries++) {
        if (tries)
            sqlite3_sleep(10);
        is_wal = sqlite3_step(stmt) == SQLITE_ROW && ft_streq((const char *)sqlite3_column_text(stmt, 0), "wal");
        sqlite3_reset(stmt);
    }
    if (!is_wal)
        r = db_error(db, path, "set up", reterr);
    sqlite3_finalize(stmt);
    return r;
}

static int migrate(sqlite3 *db, const char *path, struct ft_err *reterr)
{
    int version = 0, r = run_sql(db, path, "set up", "BEGIN IMMEDIATE", reterr);
    char sql[128];

    if (r < 0)
        return r;
    r = pragma_int(db, path, "PRAGMA user_version", &version, reterr);      /* again: another process may have been faster */
    for (int i = version & VERSION_MASK; r == 0 && i < (int)ARRAY_LEN(migrations); i++)
        r = run_sql(db, path, "set up", migrations[i], reterr);
    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION_ID,
             (version & NAMED) | (int)ARRAY_LEN(migrations));
    if (r == 0)
        r = run_sql(db, path, "set up", sql, reterr);
    if (r < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* As of one moment: another process may be making the tables. */
static int whose(sqlite3 *db, const char *path, int *ret_application, int *ret_version, int *ret_tables, struct ft_err *reterr)
{
    int r = run_sql(db, path, "open", "BEGIN", reterr);

    if (r < 0)
        return r;
    r = pragma_int(db, path, "PRAGMA application_id", ret_application, reterr);
    if (r == 0)
        r = pragma_int(db, path, "PRAGMA user_version", ret_version, reterr);
    if (r == 0 && *ret_application == 0)
        r = pragma_int(db, path, "SELECT count(*) FROM sqlite_schema", ret_tables, reterr);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int check_schema(sqlite3 *db, const char *path, bool fresh, enum log_name *ret_log, struct ft_err *reterr)
{
    int application = 0, version = 0, tables = 0, r = whose(db, path, &application, &version, &tables, reterr);

    if (r < 0)
        return r;
    *ret_log = version & NAMED ? LOG_NAMED : log_was_there ? LOG_UNNAMED : LOG_NAMED_BY_SQLITE;
    version &= VERSION_MASK;
    if (application == APPLICATION_ID && version == (int)ARRAY_LEN(migrations))
        return 0;
    if (application == APPLICATION_ID && version > (int)ARRAY_LEN(migrations))
        return ft_err_set(reterr, -ENOTSUP, "the store '%s' was written by a newer fettle (schema %d, this one knows %d); use that one, or another store"
                          " with --store", path, version, (int)ARRAY_LEN(migrations));
    if (application != APPLICATION_ID && (application || version || tables))
        return ft_err_set(reterr, -EMEDIUMTYPE, "'%s' is an SQLite database, but not a store of fettle; choose another with --store", path);
    if (!fresh)
        db_set_synchronous(db, "FULL");
    return migrate(db, path, reterr);
}

/* ---- opening */

static int connect_to(const char *path, int flags, sqlite3 **ret, struct ft_err *reterr)
{
    sqlite3 *db = NULL;
    int r = 0;

    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, our_vfs()) != SQLITE_OK)
        r = db ? db_error(db, path, "open", reterr) : ft_err_set(reterr, -ENOMEM, "cannot open the store '%s': no memory", path);
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, db_busy_ms);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (pack_functions(db) != SQLITE_OK)
        r = db_error(db, path, "open", reterr);
    if (r < 0)
        sqlite3_close(db);
    else
        *ret = db;
    return r;
}

static int set_up(sqlite3 *db, const char *path, bool fresh, enum log_name *ret_log, struct ft_err *reterr)
{
    int r = 0;

    if (sqlite3_db_readonly(db, "main"))
        return ft_err_set(reterr, -EROFS, "cannot open the store '%s': " READ_ONLY, path);
    if (fresh)
        db_set_synchronous(db, "OFF");
    if (fresh)
        r = use_log(db, path, reterr);
    if (r == 0)
        r = check_schema(db, path, fresh, ret_log, reterr);
    if (r == 0)
        r = run_sql(db, path, "open", "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=4194304;"
                    " PRAGMA synchronous=NORMAL", reterr);
    return r;
}

int db_open(const char *path, sqlite3 **ret, enum log_name *ret_log, struct ft_err *reterr)
{
    static bool configured;
    sqlite3 *db = NULL;
    bool fresh;
    int r;

    if (!configured) {
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);      /* or every allocation of either thread takes one global lock */
        configured = true;
    }
    lost_database(path);
    r = db_check_tail(path, reterr);
    if (r == 0)
        r = make_file(path, reterr);
    fresh = size_of(path, "") == 0;
    if (r == 0)
        r = connect_to(path, SQLITE_OPEN_READWRITE, &db, reterr);
    if (r == 0)
        r = set_up(db, path, fresh, ret_log, reterr);
    if (r < 0) {
        sqlite3_close(db);
        return r;
    }
    *ret = db;
    return 0;
}

int db_open_reader(const char *path, sqlite3 **ret, struct ft_err *reterr)
{
    return connect_to(path, SQLITE_OPEN_READWRITE, ret, reterr);
}

/* load.c: playbooks from files and from memory, and the files that they call. */
#include "playbook/loader.h"
#include <dirent.h>
#include <stdio.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/text.h"
#include "data/json.h"
#include "data/schema.h"

enum { MAX_SOURCE = 4 << 20 };

/* ---- what dies with a playbook ----------------------------------------------------------------------------------- */

json_t *pb_own(struct loader *ld, json_t *value)
{
    json_array_append_new(ld->pb->owned, value);
    return value;
}

struct ft_chunk *pb_own_chunk(struct loader *ld, struct ft_chunk *chunk)
{
    struct ft_playbook *pb = ld->pb;

    if (!chunk)
        return NULL;
    if (pb->chunk_count == pb->chunk_room) {
        pb->chunk_room = pb->chunk_room ? pb->chunk_room * 2 : 64;
        pb->chunks = ft_realloc(pb->chunks, pb->chunk_room * sizeof(*pb->chunks));
    }
    return pb->chunks[pb->chunk_count++] = chunk;
}

struct ft_playbook *ft_playbook_ref(const struct ft_playbook *playbook)
{
    struct ft_playbook *pb = (struct ft_playbook *)playbook;

    pb->refs++;
    return pb;
}

struct ft_playbook *ft_playbook_unref(struct ft_playbook *playbook)
{
    if (!playbook || --playbook->refs > 0)
        return NULL;
    for (size_t i = 0; i < playbook->callee_count; i++)
        ft_playbook_unref(playbook->callees[i].playbook);
    free(playbook->callees);
    for (size_t i = 0; i < playbook->chunk_count; i++)
        ft_chunk_free(playbook->chunks[i]);
    free(playbook->chunks);
    json_decref(playbook->owned);
    ft_doc_free(playbook->doc);
    ft_arena_free(playbook->mem);
    free(playbook);
    return NULL;
}

/* ---- schemas of actions, compiled once a load -------------------------------------------------------------------- */

const struct ft_schema *pb_params_schema(struct loader *ld, const struct ft_action_info *info)
{
    struct session *s = ld->session;
    const char *name = ld->world->full_name(info);
    json_t *index = json_object_get(s->schemas, name);

    if (index)
        return s->compiled[json_integer_value(index)];
    s->compiled = ft_realloc(s->compiled, (s->compiled_count + 1) * sizeof(struct ft_schema *));
    s->compiled[s->compiled_count] = NULL;
    /* A schema that does not compile is the registry's to say; here the action just goes unchecked. */
    if (ld->world->params_schema(info))
        ft_schema_compile(ld->world->params_schema(info), &s->compiled[s->compiled_count], NULL);
    json_object_set_new(s->schemas, name, json_integer((json_int_t)s->compiled_count));
    return s->compiled[s->compiled_count++];
}

/* ---- where called playbooks are ---------------------------------------------------------------------------------- */

/* Takes "." and "folder/.." out of a path, in place; what is above its start stays. */
static void simplify(char *path)
{
    bool absolute = *path == '/';
    char *copy = ft_strdup(path), *save = NULL;
    const char *parts[256];
    size_t n = 0;

    for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0 && n > 0 && strcmp(parts[n - 1], "..") != 0)
            n--;
        else if (n < ARRAY_LEN(parts))
            parts[n++] = part;
    }
    path[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(path, i > 0 || absolute ? "/" : "");
        strcat(path, parts[i]);
    }
    free(copy);
}

/* "dhcp" → dhcp.yaml beside the caller; "../change/dhcp.yaml" → from the caller's folder. */
static char *beside(const char *from, const char *name)
{
    const char *slash = strrchr(from, '/');
    size_t folder = slash ? (size_t)(slash - from) + 1 : 0, len = strlen(name);
    bool suffixed = len > 5 && strcmp(name + len - 5, ".yaml") == 0;
    char *path = ft_asprintf("%.*s%s%s", name[0] == '/' ? 0 : (int)folder, from, name, suffixed ? "" : ".yaml");

    simplify(path);
    return path;
}

static int read_file(const char *path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    struct ft_buf text = FT_BUF_INIT(MAX_SOURCE);
    FILE *file = fopen(path, "re");
    char part[16384];
    int r = 0;

    if (!file)
        return ft_err_set(reterr, -errno, "cannot read '%s': %s", path, strerror(errno));
    for (size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;)
        ft_buf_add(&text, part, n);
    if (ferror(file))
        r = ft_err_set(reterr, -EIO, "cannot read '%s': %s", path, strerror(errno));
    else if (text.overflow)
        r = ft_err_set(reterr, -EFBIG, "'%s' is larger than 4 MiB", path);
    fclose(file);
    *ret_len = text.len;
    *ret_text = r < 0 ? NULL : ft_buf_take(&text);
    ft_buf_done(&text);
    return r;
}

/* The playbook in the same folder whose name is nearest; malloced, or NULL. */
static char *nearest_file(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? ft_strndup(path, (size_t)(slash - path) + 1) : ft_strdup("."), *near = NULL;
    char *names[256] = { NULL };
    size_t n = 0;
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && n < ARRAY_LEN(names) - 1 && (entry = readdir(dir));) {
        char *dot = strrchr(entry->d_name, '.');

        if (dot && strcmp(dot, ".yaml") == 0 && !strstr(entry->d_name, ".test."))
            names[n++] = ft_strndup(entry->d_name, (size_t)(dot - entry->d_name));
    }
    near = ft_strdup(ft_suggest(name, (const char *const *)names));
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    if (dir)
        closedir(dir);
    free(folder);
    return near;
}

static int source_beside(const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    char near_text[300], *near, *path = beside(from, name);
    int r = read_file(path, ret_text, ret_len, reterr);

    if (r == -ENOENT) {
        near = nearest_file(path, name);
        ft_err_set(reterr, r, "there is no playbook '%s'%s", path, rd_did_you_mean(near, near_text, sizeof(near_text)));
        free(near);
    }
    if (r < 0)
        free(path);
    else
        *ret_path = path;
    return r;
}

/* From what a run stored: the files by path, and which path each call meant. */
static int source_stored(const json_t *stored, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    const char *path = ft_json_str(json_object_get(json_object_get(stored, "calls"), from), name);
    json_t *text = path ? json_object_get(json_object_get(stored, "files"), path) : NULL;

    if (!json_is_string(text))
        return ft_err_set(reterr, -ENOENT, "the stored run has no source of '%s', called from '%s'", name, from);
    *ret_path = ft_strdup(path);
    *ret_text = ft_strdup(json_string_value(text));
    *ret_len = json_string_length(text);
    return 0;
}

static int called_source(const struct session *s, const char *from, const char *name, char **ret_path, char **ret_text, size_t *ret_len, struct ft_err *reterr)
{
    if (s->stored)
        return source_stored(s->stored, from, name, ret_path, ret_text, ret_len, reterr);
    if (s->world->source)
        return s->world->source(s->world->source_arg, from, name, ret_path, ret_text, ret_len, reterr);
    return source_beside(from, name, ret_path, ret_text, ret_len, reterr);
}

/* ---- the top level of the file ----------------------------------------------------------------------------------- */

static const char *const severities[] = { "P1", "P2", "P3", "P4", NULL };
static const char *const categories[] = { "incident", "change", "check", NULL };

static void read_version(struct loader *ld, const struct ft_node *node)
{
    if (node && (node->kind != FT_NODE_INT || strcmp(node->text, "1") != 0))
        rd_error(&ld->rd, rd_at(node), NULL, "`fettle` is the version of the language: write 1");
}

/* Letters, digits, - and _: it is a file's name and a word of the command line. */
static void read_name(struct loader *ld, const struct ft_node *node)
{
    const char *name = rd_constant(&ld->rd, node, "`name`");

    if (!name)
        return;
    ld->pb->name = name;
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_")])
        rd_error(&ld->rd, node->mark, NULL, "a playbook's name has only a-z, 0-9, - and _");
}

static void read_about(struct loader *ld, const struct ft_node *root)
{
    const struct ft_node *severity = ft_node_get(root, "severity"), *category = ft_node_get(root, "category");
    struct ft_playbook *pb = ld->pb;
    const char *text;
    unsigned n;

    read_version(ld, ft_node_get(root, "fettle"));
    read_name(ld, ft_node_get(root, "name"));
    if ((text = rd_constant(&ld->rd, ft_node_get(root, "title"), "`title`")))
        pb->title = text;
    if ((text = rd_constant(&ld->rd, ft_node_get(root, "about"), "`about`")))
        pb->about = text;
    if (rd_one_of(&ld->rd, severity, "`severity`", severities, &n))
        pb->severity = severities[n];
    if (rd_one_of(&ld->rd, category, "`category`", categories, &n))
        pb->category = categories[n];
    pb->change = rd_constant(&ld->rd, ft_node_get(root, "change"), "`change`");
}

static void read_limits(struct loader *ld, const struct ft_node *node)
{
    static const struct rd_key keys[] = { { "runtime" }, { "writes" }, { NULL } };

    if (!node || !rd_map(&ld->rd, node, "`limits`"))
        return;
    rd_keys(&ld->rd, node, "`limits`", keys);
    rd_duration(&ld->rd, ft_node_get(node, "runtime"), "`runtime`", &ld->pb->runtime_ms);
    rd_uint(&ld->rd, ft_node_get(node, "writes"), "`writes`", 0, 10000, &ld->pb->max_writes);
}

static void read_root(struct loader *ld, const struct ft_node *root)
{
    static const struct rd_key keys[] = {
        { "fettle", true }, { "name", true }, { "title", true }, { "about" }, { "severity" }, { "category" }, { "change" }, { "params" }, { "vars" },
        { "locks" }, { "limits" }, { "triggers" }, { "storm" }, { "steps", true }, { "outcomes", true }, { NULL },
    };

    if (!rd_keys(&ld->rd, root, "the playbook", keys) && root->kind != FT_NODE_MAP)
        return;
    read_about(ld, root);
    read_limits(ld, ft_node_get(root, "limits"));
    pb_read_params(ld, ft_node_get(root, "params"));
    pb_read_vars(ld, ft_node_get(root, "vars"));
    pb_read_outcomes(ld, ft_node_get(root, "outcomes"));
    pb_read_steps(ld, ft_node_get(root, "steps"));
    pb_flow(ld);
    pb_compile(ld, root);
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* The digest of what runs: this text, and the digests of the playbooks that it calls. */
static void digest(struct ft_playbook *pb)
{
    struct ft_buf all = FT_BUF_INIT(0);
    size_t len;
    const char *text = ft_doc_text(pb->doc, &len);

    ft_buf_add(&all, text, len);
    for (size_t i = 0; i < pb->callee_count; i++)
        ft_buf_addf(&all, "\n%s %s", pb->callees[i].name, pb->callees[i].playbook->digest);
    ft_sha256_hex(ft_buf_str(&all), all.len, pb->digest);
    ft_buf_done(&all);
}

static struct ft_playbook *new_playbook(const char *path)
{
    struct ft_playbook *pb = ft_calloc(1, sizeof(*pb));

    pb->refs = 1;
    pb->mem = ft_arena_new();
    pb->owned = json_array();
    pb->path = ft_arena_strdup(pb->mem, path);
    pb->name = pb->title = pb->about = pb->severity = "";
    pb->category = "incident";
    pb->runtime_ms = 3600 * 1000;
    pb->max_writes = 20;
    return pb;
}

static void loader_done(struct loader *ld)
{
    json_decref(ld->names);
    json_decref(ld->outcomes);
    json_decref(ld->children);
    json_decref(ld->ids);
    json_decref(ld->simple);
    free(ld->name_list);
    free(ld->steps);
    free(ld->visible);
}

/* Takes doc. `before`: how many mistakes there were before its text was read. NULL when there are more, in it or in what it calls. */
static struct ft_playbook *load_doc(struct session *s, const char *path, struct ft_doc *doc, size_t before)
{
    struct ft_playbook *pb = new_playbook(path);
    struct loader ld = {
        .rd = { s->diags, doc, pb->path, .tainted = ft_diags_count(s->diags) != before }, .session = s, .world = s->world, .pb = pb, .mem = pb->mem,
        .names = json_object(), .outcomes = json_object(), .children = json_object(), .ids = json_object(), .simple = json_object(),
    };

    pb->doc = doc;
    pb->vars = pb_own(&ld, json_object());
    read_root(&ld, ft_doc_root(doc));
    loader_done(&ld);
    if (ft_diags_count(s->diags) != before)
        return ft_playbook_unref(pb);
    digest(pb);
    return pb;
}

/* Loads each path once; NULL when it has mistakes, which are said once. Borrowed from the session. */
static struct ft_playbook *load_called(struct session *s, const char *path, const char *text, size_t len)
{
    size_t before = ft_diags_count(s->diags);
    struct ft_playbook *pb;
    struct ft_doc *doc;

    s->depth++;
    doc = ft_doc_parse_whole(path, text, len, s->diags);
    pb = doc ? load_doc(s, path, doc, before) : NULL;
    s->depth--;
    if (pb) {
        s->playbooks = ft_realloc(s->playbooks, (s->count + 1) * sizeof(struct ft_playbook *));
        s->playbooks[s->count] = pb;
        json_object_set_new(s->loaded, path, json_integer((json_int_t)s->count++));
    } else {
        json_object_set_new(s->loaded, path, json_false());
    }
    return pb;
}

static struct ft_playbook *find_called(struct loader *ld, const struct ft_node *node, const char *name)
{
    struct session *s = ld->session;
    char *path = NULL, *text = NULL;
    struct ft_err err = { 0 };
    struct ft_playbook *pb = NULL;
    size_t len = 0;
    json_t *known;

    if (called_source(s, ld->pb->path, name, &path, &text, &len, &err) < 0) {
        rd_error(&ld->rd, node->mark, NULL, "%s", err.text);
        return NULL;
    }
    known = json_object_get(s->loaded, path);
    if (json_is_integer(known)) {
        pb = s->playbooks[json_integer_value(known)];
    } else if (json_is_null(known)) {
        rd_error(&ld->rd, node->mark, NULL, "playbooks call each other in a circle here; to repeat, use `retry`, `verify` or `for_each`");
    } else if (!known && s->depth >= FT_MAX_CALL_DEPTH) {
        rd_error(&ld->rd, node->mark, NULL, "playbooks call each other more than %d deep here", FT_MAX_CALL_DEPTH);
    } else if (!known) {
        json_object_set_new(s->loaded, path, json_null());
        pb = load_called(s, path, text, len);
    }
    free(path);
    free(text);
    return pb;
}

const struct ft_playbook *pb_callee(struct loader *ld, const struct ft_node *node, const char *name)
{
    struct ft_playbook *pb = ld->pb, *found;

    for (size_t i = 0; i < pb->callee_count; i++)
        if (strcmp(pb->callees[i].name, name) == 0)
            return pb->callees[i].playbook;
    found = find_called(ld, node, name);
    if (!found)
        return NULL;
    pb->callees = ft_realloc(pb->callees, (pb->callee_count + 1) * sizeof(*pb->callees));
    pb->callees[pb->callee_count++] = (struct callee){ ft_arena_strdup(pb->mem, name), ft_playbook_ref(found) };
    return found;
}

/* ---- entry points ------------------------------------------------------------------------------------------------ */

static void session_done(struct session *s)
{
    for (size_t i = 0; i < s->count; i++)
        ft_playbook_unref(s->playbooks[i]);
    free(s->playbooks);
    for (size_t i = 0; i < s->compiled_count; i++)
        ft_schema_free(s->compiled[i]);
    free(s->compiled);
    json_decref(s->loaded);
    json_decref(s->schemas);
}

/* Takes doc, which may be NULL. */
static struct ft_playbook *load(const char *path, struct ft_doc *doc, size_t before, const json_t *stored, const struct ft_playbook_world *world,
                                struct ft_diags *diags)
{
    struct session s = { .world = world, .diags = diags, .stored = stored, .loaded = json_object(), .schemas = json_object() };
    char *plain = ft_strdup(path);
    struct ft_playbook *pb;

    simplify(plain);
    json_object_set_new(s.loaded, plain, json_null());
    pb = doc ? load_doc(&s, path, doc, before) : NULL;
    free(plain);
    session_done(&s);
    return pb;
}

struct ft_playbook *ft_playbook_load(const char *path, const struct ft_playbook_world *world, struct ft_diags *diags)
{
    size_t before = ft_diags_count(diags);

    return load(path, ft_doc_load_whole(path, diags), before, NULL, world, diags);
}

struct ft_playbook *ft_playbook_parse(const char *name, const char *text, size_t len, const struct ft_playbook_world *world, struct ft_diags *diags)
{
    size_t before = ft_diags_count(diags);

    return load(name, ft_doc_parse_whole(name, text, len, diags), before, NULL, world, diags);
}

struct ft_playbook *ft_playbook_from_sources(const json_t *sources, const struct ft_playbook_world *world, struct ft_diags *diags)
{
    const char *path = ft_json_str(sources, "main");
    json_t *text = path ? json_object_get(json_object_get(sources, "files"), path) : NULL;
    size_t before = ft_diags_count(diags);

    if (!json_is_string(text)) {
        ft_diags_add(diags, path ? path : "the stored run", (struct ft_mark){ 1, 1, 1, 0 }, NULL, "the stored run has no playbook in it");
        return NULL;
    }
    return load(path, ft_doc_parse_whole(path, json_string_value(text), json_string_length(text), diags), before, sources, world, diags);
}

static void add_sources(const struct ft_playbook *pb, json_t *files, json_t *calls)
{
    size_t len;
    const char *text = ft_doc_text(pb->doc, &len);
    json_t *mine;

    if (json_object_get(files, pb->path))
        return;
    mine = json_object();
    json_object_set_new(files, pb->path, json_stringn(text, len));
    for (size_t i = 0; i < pb->callee_count; i++) {
        json_object_set_new(mine, pb->callees[i].name, json_string(pb->callees[i].playbook->path));
        add_sources(pb->callees[i].playbook, files, calls);
    }
    json_object_set_new(calls, pb->path, mine);
}

json_t *ft_playbook_sources(const struct ft_playbook *playbook)
{
    json_t *files = json_object(), *calls = json_object();

    add_sources(playbook, files, calls);
    return json_pack("{s:s, s:o, s:o}", "main", playbook->path, "files", files, "calls", calls);
}

/* ---- reading it -------------------------------------------------------------------------------------------------- */

const char *ft_playbook_name(const struct ft_playbook *playbook) { return playbook->name; }
const char *ft_playbook_title(const struct ft_playbook *playbook) { return playbook->title; }
const char *ft_playbook_about(const struct ft_playbook *playbook) { return playbook->about; }
const char *ft_playbook_severity(const struct ft_playbook *playbook) { return playbook->severity; }
const char *ft_playbook_category(const struct ft_playbook *playbook) { return playbook->category; }
const char *ft_playbook_change(const struct ft_playbook *playbook) { return playbook->change; }
const char *ft_playbook_path(const struct ft_playbook *playbook) { return playbook->path; }
const char *ft_playbook_digest(const struct ft_playbook *playbook) { return playbook->digest; }
const struct ft_list_of_steps *ft_playbook_steps(const struct ft_playbook *playbook) { return &playbook->steps; }
const json_t *ft_playbook_vars(const struct ft_playbook *playbook) { return playbook->vars; }
const char *ft_status_name(enum ft_status status)
{
    static const char *const names[] = { "ok", "attention", "failed" };

    return names[status];
}

const struct ft_tmpl *ft_playbook_locks(const struct ft_playbook *playbook) { return playbook->locks; }
uint64_t ft_playbook_runtime_ms(const struct ft_playbook *playbook) { return playbook->runtime_ms; }
unsigned ft_playbook_max_writes(const struct ft_playbook *playbook) { return playbook->max_writes; }

const struct ft_outcome *ft_playbook_outcomes(const struct ft_playbook *playbook, size_t *ret_count)
{
    *ret_count = playbook->outcome_count;
    return playbook->outcomes;
}

const struct ft_param *ft_playbook_params(const struct ft_playbook *playbook, size_t *ret_count)
{
    *ret_count = playbook->param_count;
    return playbook->params;
}

const char *ft_verb_name(enum ft_verb verb)
{
    static const char *const names[] = { "run", "set", "lua", "approve", "ask", "wait", "parallel", "for_each", "call" };

    return (unsigned)verb < ARRAY_LEN(names) ? names[verb] : "?";
}

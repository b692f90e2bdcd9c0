/* yaml.c: libyaml's events into a tree. The text is checked before (yaml_place.c), so libyaml's reader finds nothing. */
#include "data/yaml.h"
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/util.h"
#include "data/json.h"
#include "data/yaml_parts.h"

struct anchor { const char *name; const struct ft_node *node; };

/* A list or map that is not closed yet. */
struct frame {
    struct ft_node *node, *last;
    const char *key;                  /* read, its value not yet */
    struct ft_mark key_mark;
};

struct reader {
    yaml_parser_t parser;
    struct ft_doc *doc;
    struct ft_diags *diags;
    struct frame frames[YAML_DEPTH_MAX];
    size_t depth, nodes, documents;
    struct anchor *anchors;           /* owns the array */
    size_t anchor_count;
    size_t last_scalar;               /* where the last plain scalar began */
    bool failed, stop;                /* stop: what follows would only be consequences */
    bool whole;                       /* the end was reached */
};

__attribute__((format(printf, 4, 5)))
static void complain(struct reader *r, struct ft_mark mark, const char *hint, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    ft_diags_add(r->diags, r->doc->name, mark, hint, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
    r->failed = true;
}

/* ---- Syntax errors ----------------------------------------------------------------------------------------------- */

/* libyaml's words are about its tokens. These are about the file. */
struct syntax {
    const char *problem;              /* libyaml's, or how it begins */
    bool at_context;                  /* the place is where the construct began */
    const char *text, *hint;
};

static const struct syntax syntaxes[] = {
    { "found character that cannot start any token", false, "this character cannot begin a value", "quote the value" },
    { "found unexpected end of stream", true, "this quote is not closed", NULL },
    { "found unexpected document indicator", true, "this quote is not closed", NULL },
    { "found unknown escape character", false, "there is no such escape", "double the backslash, or use single quotes" },
    { "did not find expected hexdecimal number", false, "this escape needs more hexadecimal digits", NULL },
    { "found invalid Unicode character escape code", false, "this escape is no Unicode character", NULL },
    { "did not find expected alphabetic or numeric character", true, "'*' and '&' at the beginning of a value stand for anchors",
      "quote the value" },
    { "did not find expected comment or line break", false, "text after '|' or '>' begins on the next line",
      "quote the value if it begins with that character" },
    { "could not find expected ':'", true, "expected 'key: value' here", NULL },
    { "did not find expected key", false, "expected a key here", "is it indented like the keys above it?" },
    { "did not find expected '-' indicator", false, "expected an item of the list here, beginning with '- '",
      "is it indented like the items above it?" },
    { "did not find expected ',' or ']'", false, "expected ',' or ']' here", NULL },
    { "did not find expected ',' or '}'", false, "expected ',' or '}' here", NULL },
    { "did not find expected node content", false, "a value is missing here", NULL },
    { "block sequence entries are not allowed in this context", false, "a list cannot begin on the line of its key",
      "put it on the next line" },
    { "mapping keys are not allowed in this context", false, "'?' cannot begin a value", "quote the value" },
    { "mapping values are not allowed in this context", false, "a value without quotes cannot hold ': '", "quote the value" },
    { "did not find expected <document start>", false, "a second document begins here", "one document a file" },
};

static const struct syntax *find_syntax(const char *problem)
{
    for (size_t i = 0; i < ARRAY_LEN(syntaxes); i++)
        if (strncmp(problem, syntaxes[i].problem, strlen(syntaxes[i].problem)) == 0)
            return &syntaxes[i];
    return NULL;
}

/* The last character before `offset` on its line that is not a space; NUL when there is none. */
static char char_before(const struct ft_doc *doc, size_t offset)
{
    while (offset > 0 && doc->text[offset - 1] == ' ')
        offset--;
    return offset > 0 && doc->text[offset - 1] != '\n' ? doc->text[offset - 1] : '\0';
}

/* What the reader most likely did, where the place tells more than libyaml does. */
static const char *better_hint(const struct reader *r, const struct syntax *syntax, struct ft_mark mark, const char **text)
{
    const char *at = r->doc->text + mark.offset;
    char before = char_before(r->doc, mark.offset);
    struct ft_mark value = yaml_mark(r->doc, r->last_scalar, 0);

    if (*at == '{' && before == '$') {
        *text = "'${' is not quoted";
        return "inside { } and [ ] write \"${…}\" with quotes";
    }
    if (strncmp(syntax->problem, "mapping values", 14) == 0 && value.line < mark.line)
        return "this line is indented deeper than the key above, so it continues that key's value";
    if (strcmp(syntax->problem, "did not find expected key") == 0 && (before == '"' || before == '\'')) {
        *text = "the quoted value has ended already";
        return before == '"' ? "put the whole value into single quotes" : "a ' inside single quotes is written ''";
    }
    if (strncmp(syntax->problem, "did not find expected ','", 25) == 0)
        return ft_arena_printf(r->doc->mem, "the brackets were opened on line %zu", r->parser.context_mark.line + 1);
    if (strcmp(syntax->problem, "could not find expected ':'") == 0 && strcspn(at, ":") < strcspn(at, " \n"))
        return "a space is missing after ':'";
    return syntax->hint;
}

static void syntax_error(struct reader *r)
{
    const yaml_parser_t *parser = &r->parser;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    const struct syntax *syntax = find_syntax(problem);
    struct ft_mark mark = yaml_mark(r->doc, yaml_char_offset(r->doc, parser->problem_mark.index), 1);
    const char *text, *hint;

    if (strstr(problem, "tab character") || r->doc->text[mark.offset] == '\t') {
        complain(r, mark, "use spaces", "a tab is used as indentation");
    } else if (!syntax) {
        complain(r, mark, NULL, "%s%s%s", problem, parser->context ? " " : "", parser->context ? parser->context : "");
    } else {
        if (syntax->at_context)
            mark = yaml_mark(r->doc, yaml_char_offset(r->doc, parser->context_mark.index), 1);
        text = syntax->text;
        hint = better_hint(r, syntax, mark, &text);
        complain(r, mark, hint, "%s", text);
    }
    r->stop = true;
}

/* ---- Building ---------------------------------------------------------------------------------------------------- */

static struct frame *top(struct reader *r)
{
    return r->depth ? &r->frames[r->depth - 1] : NULL;
}

static bool wants_key(struct reader *r)
{
    return r->depth && top(r)->node->kind == FT_NODE_MAP && !top(r)->key;
}

/* Puts the node where the next value belongs. */
static void attach(struct reader *r, struct ft_node *node)
{
    struct frame *frame = top(r);

    if (!frame) {
        r->doc->root = node;
        return;
    }
    node->parent = frame->node;
    node->key = frame->key;
    node->key_mark = frame->key_mark;
    frame->key = NULL;
    if (frame->last)
        frame->last->next = node;
    else
        frame->node->first = node;
    frame->last = node;
    frame->node->count++;
}

/* NULL when the document has too many. */
static struct ft_node *new_node(struct reader *r, enum ft_node_kind kind, struct ft_mark mark)
{
    struct ft_node *node;

    if (r->nodes++ >= YAML_NODES_MAX) {
        complain(r, mark, NULL, "the document has more than %d values", YAML_NODES_MAX);
        r->stop = true;
        return NULL;
    }
    node = ft_arena_alloc(r->doc->mem, sizeof(*node));
    node->kind = kind;
    node->mark = mark;
    return node;
}

/* Where the value itself begins: the event begins with its anchor. */
static size_t after_anchor(const struct ft_doc *doc, size_t at)
{
    while (doc->text[at] == '&' || doc->text[at] == '!') {
        at += strcspn(doc->text + at, " \t\r\n");
        for (;;) {
            at += strspn(doc->text + at, " \t\r\n");
            if (doc->text[at] != '#')
                break;
            at += strcspn(doc->text + at, "\n");
        }
    }
    return at;
}

static struct ft_mark value_mark(const struct reader *r, const yaml_event_t *event, bool has_anchor)
{
    size_t start = yaml_char_offset(r->doc, event->start_mark.index);
    size_t end = yaml_char_offset(r->doc, event->end_mark.index), len = 0;

    if (has_anchor)
        start = after_anchor(r->doc, start);
    while (start + len < end && r->doc->text[start + len] != '\n' && r->doc->text[start + len] != '\r')
        len++;
    return yaml_mark(r->doc, start, ft_max(len, (size_t)1));
}

static void check_tag(struct reader *r, const yaml_event_t *event, const yaml_char_t *tag)
{
    size_t start = yaml_char_offset(r->doc, event->start_mark.index);

    if (tag)
        complain(r, yaml_mark(r->doc, start, 1), "quote a value that begins with '!'", "tags are not used here");
}

static struct anchor *find_anchor(const struct reader *r, const char *name)
{
    for (size_t i = 0; i < r->anchor_count; i++)
        if (strcmp(r->anchors[i].name, name) == 0)
            return &r->anchors[i];
    return NULL;
}

static void note_anchor(struct reader *r, const yaml_char_t *name, const struct ft_node *node)
{
    if (!name)
        return;
    if (find_anchor(r, (const char *)name)) {
        complain(r, node->mark, NULL, "the anchor '&%s' is there already", (const char *)name);
        return;
    }
    if (r->anchor_count >= YAML_ANCHORS_MAX) {
        complain(r, node->mark, NULL, "the document has more than %d anchors", YAML_ANCHORS_MAX);
        r->stop = true;
        return;
    }
    r->anchors = ft_realloc(r->anchors, (r->anchor_count + 1) * sizeof(*r->anchors));
    r->anchors[r->anchor_count++] = (struct anchor){ ft_arena_strdup(r->doc->mem, (const char *)name), node };
}

/* ---- Scalars ----------------------------------------------------------------------------------------------------- */

static const char *template_hint(const struct ft_doc *doc, size_t at)
{
    return at > 0 && doc->text[at - 1] == '{' && doc->text[at] == '{' ? "{{ … }} is not used here: write \"${…}\"" : NULL;
}

static void read_key(struct reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct ft_mark mark = value_mark(r, event, event->data.scalar.anchor != NULL);
    enum ft_node_kind kind = FT_NODE_STRING;
    struct yaml_trap trap = { 0 };

    check_tag(r, event, event->data.scalar.tag);
    if (event->data.scalar.anchor)
        complain(r, mark, NULL, "a key cannot have an anchor");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        kind = yaml_classify(r->doc->mem, text, event->data.scalar.length, &trap);
        if (trap.text && strlen(text) == 1)
            trap.text = NULL;                /* y and n, as in coordinates: only very old readers mind */
        if (event->data.scalar.length == 0)
            complain(r, mark, NULL, "a key is missing");
        else if (strcmp(text, "<<") == 0)
            complain(r, mark, "write the keys out, or quote '<<' to mean the text", "merge keys are not used here");
        else if (kind != FT_NODE_STRING || trap.text)
            complain(r, mark, "quote it", "the key '%s' is not text to every reader of YAML", text);
    }
    if (strlen(text) != event->data.scalar.length)
        complain(r, mark, NULL, "a key cannot hold the character U+0000");
    top(r)->key = ft_arena_strdup(r->doc->mem, text);
    top(r)->key_mark = mark;
}

/* How many columns were cut from the lines of a block scalar: its first line with something in it tells. */
static unsigned block_indent(const struct ft_doc *doc, const struct ft_node *node)
{
    const char *in_text = node->text + strspn(node->text, " \n"), *start = in_text;
    const char *line = doc->text + node->mark.offset;
    size_t spaces;

    while (start > node->text && start[-1] != '\n')
        start--;
    do {
        line = strchr(line, '\n');
        if (!line)
            return 0;
        spaces = strspn(++line, " ");
    } while (line[spaces] == '\n' || line[spaces] == '\r');
    return *in_text && spaces >= (size_t)(in_text - start) ? (unsigned)(spaces - (size_t)(in_text - start)) : 0;
}

static void read_scalar(struct reader *r, const yaml_event_t *event)
{
    size_t len = event->data.scalar.length;
    yaml_scalar_style_t style = event->data.scalar.style;
    bool quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    bool block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    struct ft_node *node = new_node(r, FT_NODE_STRING, value_mark(r, event, event->data.scalar.anchor != NULL));
    struct yaml_trap trap = { 0 };

    if (!node)
        return;
    check_tag(r, event, event->data.scalar.tag);
    node->text = memcpy(ft_arena_alloc(r->doc->mem, len + 1), event->data.scalar.value, len);
    node->len = len;
    node->quoted = quoted;
    node->block = block;
    if (strlen(node->text) != len)
        complain(r, node->mark, NULL, "text cannot hold the character U+0000");
    if (block) {
        node->mark.len = 1;
        node->block_indent = block_indent(r->doc, node);
    } else if (!quoted) {
        node->kind = yaml_classify(r->doc->mem, node->text, len, &trap);
        r->last_scalar = node->mark.offset;
    }
    if (trap.text)
        complain(r, node->mark, trap.hint, "%s", trap.text);
    attach(r, node);
    note_anchor(r, event->data.scalar.anchor, node);
}

/* ---- Lists, maps, aliases ---------------------------------------------------------------------------------------- */

static void open_node(struct reader *r, const yaml_event_t *event, enum ft_node_kind kind, const yaml_char_t *anchor,
                      const yaml_char_t *tag)
{
    struct ft_node *node = new_node(r, kind, value_mark(r, event, anchor != NULL));

    if (!node)
        return;
    node->mark.len = 1;
    check_tag(r, event, tag);
    if (wants_key(r)) {
        complain(r, node->mark, template_hint(r->doc, node->mark.offset), "a key must be text, not a %s",
                 kind == FT_NODE_MAP ? "map" : "list");
        r->stop = true;
        return;
    }
    if (r->depth >= YAML_DEPTH_MAX) {
        complain(r, node->mark, NULL, "the document is nested more than %d levels deep", YAML_DEPTH_MAX);
        r->stop = true;
        return;
    }
    attach(r, node);
    note_anchor(r, anchor, node);
    r->frames[r->depth++] = (struct frame){ .node = node };
}

static int by_key(const void *a, const void *b)
{
    const struct ft_node *x = *(const struct ft_node *const *)a, *y = *(const struct ft_node *const *)b;
    int order = strcmp(x->key, y->key);

    return order ? order : x->key_mark.offset < y->key_mark.offset ? -1 : x->key_mark.offset > y->key_mark.offset;
}

static void check_duplicates(struct reader *r, const struct ft_node *map)
{
    const struct ft_node **members = ft_calloc(map->count, sizeof(*members));
    size_t n = 0, first = 0;

    for (const struct ft_node *member = map->first; member; member = member->next)
        members[n++] = member;
    qsort(members, n, sizeof(*members), by_key);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(members[i]->key, members[first]->key) != 0)
            first = i;
        else
            complain(r, members[i]->key_mark, NULL, "the key '%s' is there already, on line %u", members[i]->key,
                     members[first]->key_mark.line);
    }
    free(members);
}

static void close_node(struct reader *r)
{
    const struct ft_node *node = r->frames[--r->depth].node;

    if (node->kind == FT_NODE_MAP)
        check_duplicates(r, node);
}

/* A copy, children too; their marks stay where the text stands. NULL when there are too many. */
static struct ft_node *copy_tree(struct reader *r, const struct ft_node *from)
{
    struct ft_node *copy = new_node(r, from->kind, from->mark), **link;

    if (!copy)
        return NULL;
    *copy = *from;
    copy->next = NULL;
    link = &copy->first;
    for (const struct ft_node *child = from->first; child; child = child->next) {
        *link = copy_tree(r, child);
        if (!*link)
            return NULL;
        (*link)->parent = copy;
        link = &(*link)->next;
    }
    return copy;
}

static bool is_open(const struct reader *r, const struct ft_node *node)
{
    for (size_t i = 0; i < r->depth; i++)
        if (r->frames[i].node == node)
            return true;
    return false;
}

static unsigned height(const struct ft_node *node)
{
    unsigned highest = 0;

    for (const struct ft_node *child = node->first; child; child = child->next) {
        unsigned high = height(child);

        highest = ft_max(highest, high);
    }
    return highest + 1;
}

static bool alias_is_usable(struct reader *r, const char *name, struct ft_mark mark, const struct anchor *anchor)
{
    if (!anchor)
        complain(r, mark, "quote a value that begins with '*'", "there is no anchor '&%s' above", name);
    else if (is_open(r, anchor->node))
        complain(r, mark, NULL, "the anchor '&%s' contains itself", name);
    else if (r->depth + height(anchor->node) > YAML_DEPTH_MAX)
        complain(r, mark, NULL, "the document is nested more than %d levels deep", YAML_DEPTH_MAX);
    else
        return true;
    return false;
}

/* An alias that cannot be followed stands for null, so that what comes after is still looked at. */
static void read_alias(struct reader *r, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct ft_mark mark = value_mark(r, event, /* has_anchor= */ false);
    const struct anchor *anchor = find_anchor(r, name);
    struct ft_node *node;

    if (wants_key(r)) {
        complain(r, mark, NULL, "a key must be text, not an alias");
        r->stop = true;
        return;
    }
    if (!alias_is_usable(r, name, mark, anchor))
        node = new_node(r, FT_NODE_NULL, mark);
    else
        node = copy_tree(r, anchor->node);
    if (node)
        attach(r, node);
}

/* ---- Documents --------------------------------------------------------------------------------------------------- */

static void start_document(struct reader *r, const yaml_event_t *event)
{
    struct ft_mark mark = yaml_mark(r->doc, yaml_char_offset(r->doc, event->start_mark.index), 1);

    if (r->documents++ > 0) {
        complain(r, mark, "one document a file", "a second document begins here");
        r->stop = true;
    }
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        complain(r, mark, "take the line with '%' out", "directives are not used here");
}

static void take_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        start_document(r, event);
        break;
    case YAML_SCALAR_EVENT:
        if (wants_key(r))
            read_key(r, event);
        else
            read_scalar(r, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        open_node(r, event, FT_NODE_LIST, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        open_node(r, event, FT_NODE_MAP, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_node(r);
        break;
    case YAML_ALIAS_EVENT:
        read_alias(r, event);
        break;
    case YAML_STREAM_END_EVENT:
        r->stop = r->whole = true;
        break;
    default:
        break;
    }
}

static void read_events(struct reader *r)
{
    yaml_event_t event;

    if (!yaml_parser_initialize(&r->parser))
        abort();
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const yaml_char_t *)r->doc->text, r->doc->len);
    while (!r->stop) {
        if (!yaml_parser_parse(&r->parser, &event)) {
            syntax_error(r);
            break;
        }
        take_event(r, &event);
        yaml_event_delete(&event);
    }
    if (!r->doc->root && !r->failed)
        r->doc->root = new_node(r, FT_NODE_NULL, yaml_mark(r->doc, 0, 1));
    yaml_parser_delete(&r->parser);
}

/* *ret_failed: something was said, though the tree may be whole. */
static struct ft_doc *parse(const char *name, const char *text, size_t len, struct ft_diags *diags, bool *ret_failed)
{
    static const char bom[] = "\xef\xbb\xbf";
    struct ft_arena *mem = ft_arena_new();
    struct ft_doc *doc = ft_arena_alloc(mem, sizeof(*doc));
    struct reader *r;
    bool whole;

    *ret_failed = true;
    doc->mem = mem;
    doc->name = ft_arena_strdup(mem, name);
    if (len > YAML_BYTES_MAX) {
        ft_diags_add(diags, name, (struct ft_mark){ 1, 1, 1, 0 }, NULL, "the file is larger than %d MiB", YAML_BYTES_MAX >> 20);
        return ft_doc_free(doc);
    }
    if (len >= 3 && memcmp(text, bom, 3) == 0) {
        text += 3;
        len -= 3;
    }
    doc->text = memcpy(ft_arena_alloc(mem, len + 1), len ? text : "", len);
    doc->len = len;
    yaml_index_text(doc);
    ft_diags_source(diags, name, doc->text, len);
    if (!yaml_check_text(doc, diags))
        return ft_doc_free(doc);
    r = ft_calloc(1, sizeof(*r));
    r->doc = doc;
    r->diags = diags;
    read_events(r);
    *ret_failed = r->failed;
    whole = r->whole && doc->root;
    free(r->anchors);
    free(r);
    return whole ? doc : ft_doc_free(doc);
}

struct ft_doc *ft_doc_parse_whole(const char *name, const char *text, size_t len, struct ft_diags *diags)
{
    bool failed;

    return parse(name, text, len, diags, &failed);
}

struct ft_doc *ft_doc_parse(const char *name, const char *text, size_t len, struct ft_diags *diags)
{
    bool failed;
    struct ft_doc *doc = parse(name, text, len, diags, &failed);

    return failed ? ft_doc_free(doc) : doc;
}

/* At most one byte more than a document may have. Negative errno. */
static int read_file(const char *path, struct ft_buf *text)
{
    char piece[65536];
    struct stat st;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);       /* a FIFO shall not hold us up */
    int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;

    while (r == 0 && text->len <= YAML_BYTES_MAX && (n = read(fd, piece, sizeof(piece))) > 0)
        ft_buf_add(text, piece, (size_t)n);
    if (r == 0 && n < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    return r;
}

typedef struct ft_doc *parser(const char *name, const char *text, size_t len, struct ft_diags *diags);

static struct ft_doc *load(const char *path, struct ft_diags *diags, parser *parse_text)
{
    struct ft_buf text = FT_BUF_INIT(0);
    struct ft_doc *doc = NULL;
    int r = read_file(path, &text);

    if (r < 0)
        ft_diags_add(diags, path, (struct ft_mark){ 1, 1, 1, 0 }, NULL, "the file cannot be read: %s", strerror(-r));
    else
        doc = parse_text(path, ft_buf_str(&text), text.len, diags);
    ft_buf_done(&text);
    return doc;
}

struct ft_doc *ft_doc_load(const char *path, struct ft_diags *diags)
{
    return load(path, diags, ft_doc_parse);
}

struct ft_doc *ft_doc_load_whole(const char *path, struct ft_diags *diags)
{
    return load(path, diags, ft_doc_parse_whole);
}

struct ft_doc *ft_doc_free(struct ft_doc *doc)
{
    if (doc)
        ft_arena_free(doc->mem);             /* with the document itself */
    return NULL;
}

const struct ft_node *ft_doc_root(const struct ft_doc *doc)
{
    return doc->root;
}

const char *ft_doc_name(const struct ft_doc *doc)
{
    return doc->name;
}

const char *ft_doc_text(const struct ft_doc *doc, size_t *ret_len)
{
    if (ret_len)
        *ret_len = doc->len;
    return doc->text;
}

/* ---- Using the tree ---------------------------------------------------------------------------------------------- */

const struct ft_node *ft_node_get(const struct ft_node *map, const char *key)
{
    if (!map || map->kind != FT_NODE_MAP)
        return NULL;
    for (const struct ft_node *member = map->first; member; member = member->next)
        if (strcmp(member->key, key) == 0)
            return member;
    return NULL;
}

json_t *ft_node_json(const struct ft_node *node)
{
    json_t *value = NULL;

    switch (node->kind) {
    case FT_NODE_NULL:
        return json_null();
    case FT_NODE_BOOL:
        return json_boolean(node->text[0] == 't');
    case FT_NODE_INT:
    case FT_NODE_REAL:
        ft_json_parse(node->text, node->len, 0, &value, /* reterr= */ NULL);
        return value;
    case FT_NODE_STRING:
        return json_stringn(node->text, node->len);
    case FT_NODE_LIST:
        value = json_array();
        for (const struct ft_node *item = node->first; item; item = item->next)
            json_array_append_new(value, ft_node_json(item));
        return value;
    case FT_NODE_MAP:
        value = json_object();
        for (const struct ft_node *member = node->first; member; member = member->next)
            json_object_set_new(value, member->key, ft_node_json(member));
        return value;
    }
    return NULL;
}

/* One step of a JSON pointer, unescaped; *pointer moves to the next '/' or the end. */
static char *pointer_step(const char **pointer)
{
    size_t len = strcspn(*pointer, "/");
    char *name = ft_strndup(*pointer, len), *to = name;

    for (const char *from = name; *from; from++) {
        if (*from == '~' && (from[1] == '0' || from[1] == '1'))
            *to++ = *++from == '0' ? '~' : '/';
        else
            *to++ = *from;
    }
    *to = '\0';
    *pointer += len;
    return name;
}

static const struct ft_node *child_named(const struct ft_node *node, const char *name)
{
    const struct ft_node *child;
    size_t i;

    if (node->kind == FT_NODE_MAP)
        return ft_node_get(node, name);
    if (node->kind != FT_NODE_LIST || !*name || name[strspn(name, "0123456789")])
        return NULL;
    for (i = strtoul(name, NULL, 10), child = node->first; child && i > 0; i--)
        child = child->next;
    return child;
}

const struct ft_node *ft_node_at(const struct ft_node *root, const char *pointer)
{
    while (*pointer == '/') {
        char *name;
        const struct ft_node *child;

        pointer++;
        name = pointer_step(&pointer);
        child = child_named(root, name);
        free(name);
        if (!child)
            break;
        root = child;
    }
    return root;
}

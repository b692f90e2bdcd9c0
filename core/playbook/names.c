/* names.c: the one namespace of a playbook: parameters, variables, step ids, set names, `as` names. */
#include "playbook/loader.h"
#include "script/script.h"

static const char *const kinds[] = {
    [NAME_PARAM] = "a parameter", [NAME_VAR] = "a variable", [NAME_STEP] = "a step's id", [NAME_SET] = "set by a step", [NAME_AS] = "the item of a for_each",
};

struct name *pb_name_find(const struct loader *ld, const char *text)
{
    json_t *index = json_object_get(ld->names, text);

    return index ? ld->name_list[json_integer_value(index)] : NULL;
}

/* What the name means in expressions already; NULL: nothing. */
static const char *reserved(const struct loader *ld, const char *text)
{
    static const struct { const char *name, *means; } ours[] = {
        { "result", "a step's own result" }, { "error", "the last error" }, { "event", "the alert that started the run" }, { "run", "the run itself" },
    };

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcmp(ours[i].name, text) == 0)
            return ours[i].means;
    return ft_script_is_global(ld->world->script, text) ? "a function or module of Lua's or fettle's" : NULL;
}

/* step_7 is what a step without an id is called in journals. */
static bool is_generated(const char *text)
{
    return strncmp(text, "step_", 5) == 0 && text[5] && text[5 + strspn(text + 5, "0123456789")] == '\0';
}

static bool is_free(struct loader *ld, enum name_kind kind, const char *text, struct ft_mark mark)
{
    const struct name *other = pb_name_find(ld, text);
    const char *why = reserved(ld, text);

    if (why) {
        rd_error(&ld->rd, mark, NULL, "'%s' is taken: in expressions it means %s", text, why);
        return false;
    }
    if (kind == NAME_STEP && is_generated(text)) {
        rd_error(&ld->rd, mark, NULL, "'%s' cannot be a step's id: steps without one are called so", text);
        return false;
    }
    if (!other || (kind == other->kind && (kind == NAME_SET || kind == NAME_AS)))
        return true;
    if (kind == other->kind)
        rd_error(&ld->rd, mark, NULL, "'%s' is %s on line %u already", text, kinds[other->kind], other->mark.line);
    else
        rd_error(&ld->rd, mark, NULL, "'%s' hides %s of the same name on line %u; choose another", text, kinds[other->kind], other->mark.line);
    return false;
}

struct name *pb_name_add(struct loader *ld, enum name_kind kind, const char *text, struct ft_mark mark)
{
    static const char *const whats[] = {
        [NAME_PARAM] = "a parameter's name", [NAME_VAR] = "a variable's name", [NAME_STEP] = "a step's id", [NAME_SET] = "a name", [NAME_AS] = "a name",
    };
    struct name *name;

    if (!rd_name(&ld->rd, text, mark, whats[kind]) || !is_free(ld, kind, text, mark))
        return NULL;
    name = pb_name_find(ld, text);
    if (name)
        return name;                         /* one more step that sets it, one more loop over such things */
    name = ft_arena_alloc(ld->mem, sizeof(*name));
    name->kind = kind;
    name->text = text;
    name->mark = mark;
    if (ld->name_count == ld->name_room) {
        ld->name_room = ld->name_room ? ld->name_room * 2 : 64;
        ld->name_list = ft_realloc(ld->name_list, ld->name_room * sizeof(*ld->name_list));
    }
    json_object_set_new(ld->names, text, json_integer((json_int_t)ld->name_count));
    ld->name_list[ld->name_count++] = name;
    return name;
}

void pb_name_set_by(struct loader *ld, struct name *name, struct step_info *step)
{
    struct setter *setter = ft_arena_alloc(ld->mem, sizeof(*setter));

    *setter = (struct setter){ .step = step, .next = name->setters };
    name->setters = setter;
}

void pb_name_type(struct name *name, const struct step_info *step, struct ft_name_type type)
{
    for (struct setter *s = name ? name->setters : NULL; s; s = s->next)
        if (s->step == step)
            s->type = type;
}

bool pb_is_inside(const struct step_info *inner, const struct step_info *owner)
{
    for (const struct step_info *s = inner; s; s = s->list->owner)
        if (s->list->owner == owner)
            return true;
    return false;
}

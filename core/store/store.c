/* store.c: the loop thread's side: numbering, queueing, delivering. See internal.h for the picture. */
#include <stdio.h>

#include "base/digest.h"
#include "base/log.h"
#include "data/json.h"
#include "store/internal.h"

#define RIDE_MS 20
#define MAX_EVENT (64u << 20)
#define KICK_AT 64                    /* so many that want a commit: the writer begins while the loop thread goes on appending */

/* ---- lists of operations */

static void list_init(struct op_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_add(struct op_list *list, struct op *op)
{
    op->next = NULL;
    *list->end = op;
    list->end = &op->next;
}

/* All of `from` behind what is in `to`. */
static void list_move(struct op_list *to, struct op_list *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    list_init(from);
}

static struct op *op_new(enum op_kind kind, size_t len)
{
    struct op *op = malloc(sizeof(*op) + len);

    if (!op)
        abort();
    *op = (struct op){ .kind = kind, .len = len };
    return op;
}

static void op_free(struct op *op)
{
    free(op->err);
    free(op->holder);
    free(op);
}

/* ---- the writer's thread */

static void *writer_main(void *arg)
{
    struct ft_store *store = arg;
    struct op *batch, *op, *next;

    pthread_setname_np(pthread_self(), "fettle-store");
    writer_init(store);
    pthread_mutex_lock(&store->lock);
    for (;;) {
        while (!store->queue.first && !store->stop)
            pthread_cond_wait(&store->work, &store->lock);
        batch = store->queue.first;
        if (!batch)
            break;
        store->writing = batch;
        list_init(&store->queue);
        pthread_mutex_unlock(&store->lock);
        write_batch(store, batch);
        pthread_mutex_lock(&store->lock);
        store->writing = NULL;
        for (op = batch; op; op = next) {
            next = op->next;
            if (op->waited)
                op->finished = true;
            else
                list_add(&store->done, op);
        }
        pthread_cond_broadcast(&store->progress);
        ft_wake_send(store->wake);
    }
    pthread_mutex_unlock(&store->lock);
    writer_done(store);
    return NULL;
}

static void start_writer(struct ft_store *store)
{
    if (store->started)
        return;
    seal_prepare(store);
    store->started = true;
    if (pthread_create(&store->thread, NULL, writer_main, store) != 0)
        abort();
}

/* ---- staging */

/* From here on an answer is on its way: the loop waits for it, and does not move a manual clock. */
static void hold(struct ft_store *store, struct op *op)
{
    op->held = op->written != NULL;
    ft_loop_hold(store->loop, op->held);
}

static void let_go(struct ft_store *store, struct op *op)
{
    op->written = NULL;
    ft_loop_hold(store->loop, -op->held);
    op->held = false;
}

static void kick(void *arg)
{
    struct ft_store *store = arg;

    if (store->kicking)
        ft_loop_undefer(store->loop, kick, store);
    store->kicking = false;
    ft_timer_stop(store->ride);
    store->ride = NULL;
    store->waiting = 0;
    if (!store->staged.first)
        return;
    for (struct op *op = store->staged.first; op; op = op->next)
        hold(store, op);
    start_writer(store);
    pthread_mutex_lock(&store->lock);
    store->now_ms = ft_clock_wall_ms(ft_loop_clock(store->loop));
    list_move(&store->queue, &store->staged);
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
}

static void ride_over(void *arg)
{
    struct ft_store *store = arg;

    store->ride = NULL;
    kick(store);
}

/* The timer keeps the loop running only where somebody waits for an answer. */
static void wait_for_company(struct ft_store *store, bool awaited)
{
    if (store->ride && (store->ride_awaited || !awaited))
        return;
    ft_timer_stop(store->ride);
    store->ride_awaited = awaited;
    store->ride = awaited ? ft_timer_start(store->loop, RIDE_MS, ride_over, store) : ft_timer_start_weak(store->loop, RIDE_MS, ride_over, store);
}

/* Kicked at the end of the loop's turn, so that what other runs append in the same turn is in the same commit. */
static void stage(struct ft_store *store, struct op *op)
{
    list_add(&store->staged, op);
    if (op->durability != FT_RIDE && ++store->waiting >= KICK_AT) {
        kick(store);
    } else if (op->durability != FT_RIDE && !store->kicking) {
        store->kicking = true;
        ft_loop_defer(store->loop, kick, store);
    } else if (!store->kicking) {
        wait_for_company(store, op->written != NULL);
    }
}

/* Somebody will wait for it: it is that one's again, not freed when it is done. */
static void stage_waited(struct ft_store *store, struct op *op)
{
    op->waited = true;
    list_add(&store->staged, op);
}

/* Written at once, with all that was staged before it. */
static void wait_for(struct ft_store *store, struct op *op)
{
    kick(store);
    pthread_mutex_lock(&store->lock);
    while (!op->finished)
        pthread_cond_wait(&store->progress, &store->lock);
    pthread_mutex_unlock(&store->lock);
}

static void stage_and_wait(struct ft_store *store, struct op *op)
{
    stage_waited(store, op);
    wait_for(store, op);
}

/* Nothing is on its way to the file: a run that is resumed reads several times, and each time would wait for the writer's thread. */
static bool is_flushed(struct ft_store *store)
{
    bool flushed = !store->staged.first;

    if (!flushed || !store->started)
        return flushed;
    pthread_mutex_lock(&store->lock);
    flushed = !store->queue.first && !store->writing;
    pthread_mutex_unlock(&store->lock);
    return flushed;
}

void store_flush(struct ft_store *store)
{
    struct op *barrier;

    if (is_flushed(store))
        return;
    barrier = op_new(OP_BARRIER, 0);
    stage_and_wait(store, barrier);
    op_free(barrier);
}

/* ---- chains */

static size_t bucket_of(const struct ft_store *store, const char *id)
{
    return strtoul(id, NULL, 16) & (store->bucket_count - 1);
}

static void chains_grow(struct ft_store *store)
{
    struct chain **old = store->buckets;
    size_t old_count = store->bucket_count;

    store->bucket_count = old_count ? old_count * 2 : 256;
    store->buckets = ft_calloc(store->bucket_count, sizeof(struct chain *));
    for (size_t i = 0; i < old_count; i++) {
        for (struct chain *chain = old[i], *next; chain; chain = next) {
            size_t to = bucket_of(store, chain->id);

            next = chain->next;
            chain->next = store->buckets[to];
            store->buckets[to] = chain;
        }
    }
    free(old);
}

static struct chain *chain_find(const struct ft_store *store, const char *id)
{
    struct chain *chain = store->bucket_count ? store->buckets[bucket_of(store, id)] : NULL;

    while (chain && !ft_streq(chain->id, id))
        chain = chain->next;
    return chain;
}

static struct chain *chain_add(struct ft_store *store, const char *id)
{
    struct chain *chain = ft_calloc(1, sizeof(*chain));
    size_t at;

    if (store->chain_count >= store->bucket_count)
        chains_grow(store);
    at = bucket_of(store, id);
    snprintf(chain->id, sizeof(chain->id), "%s", id);
    chain_seed(chain->id, chain->hash);
    chain->next = store->buckets[at];
    store->buckets[at] = chain;
    store->chain_count++;
    return chain;
}

static void chain_drop(struct ft_store *store, struct chain *chain)
{
    struct chain **at = &store->buckets[bucket_of(store, chain->id)];

    while (*at != chain)
        at = &(*at)->next;
    *at = chain->next;
    store->chain_count--;
    free(chain->failed);
    personal_free(chain->personal);
    free(chain);
}

static bool id_ok(const char *id)
{
    return id && strlen(id) == 8 && strspn(id, "0123456789abcdef") == 8;
}

/* What is on its way of other runs changes nothing that is read of this one. */
void store_flush_run(struct ft_store *store, const char *id)
{
    const struct chain *chain = chain_find(store, id);

    if (chain && chain->queued)
        store_flush(store);
}

/* The run's chain, from the file when it was not used yet. */
static int chain_get(struct ft_store *store, const char *id, struct chain **ret, struct ft_err *reterr)
{
    struct chain *chain;
    int r;

    if (!id_ok(id))
        return ft_err_set(reterr, -EINVAL, "'%s' is no run's id: 8 hex digits in lower case", id ? id : "");
    chain = chain_find(store, id);
    if (!chain) {
        chain = chain_add(store, id);
        r = read_chain(store, chain, reterr);
        if (r < 0 && r != -ENOENT) {
            chain_drop(store, chain);
            return r;
        }
        chain->known = r == 0;
    }
    *ret = chain;
    return 0;
}

static void chain_release(struct ft_store *store, struct chain *chain)
{
    chain->queued--;
    if (!chain->queued && (chain->over || chain->rests))
        chain_drop(store, chain);
}

void store_chain_rests(struct ft_store *store, const char *id)
{
    struct chain *chain = chain_find(store, id);

    if (chain && chain->queued)
        chain->rests = true;
    else if (chain)
        chain_drop(store, chain);
}

/* ---- what is done */

/* For when nobody waits to be told. */
static void say_lost(const struct op *op)
{
    if (op->kind == OP_EVENT)
        ft_log(FT_LOG_ERROR, "event %llu of run %s is lost: %s", (unsigned long long)op->seq, op->chain->id, op->err->text);
    else
        ft_log(FT_LOG_ERROR, "run %s is not noted in the store: %s", op->chain->id, op->err->text);
}

static void settle(struct ft_store *store, struct op *op)
{
    struct chain *chain = op->chain;

    if (chain && op->err && !chain->failed) {
        chain->failed = ft_calloc(1, sizeof(*chain->failed));
        *chain->failed = *op->err;
    }
    if (chain && op->err && !op->written && chain->queued == 1 && !chain->told)
        say_lost(op);
    if (op->written) {
        void (*written)(void *arg, int code, const struct ft_err *err) = op->written;

        if (chain && op->err)
            chain->told = true;
        let_go(store, op);
        written(op->arg, op->err ? op->err->code : 0, op->err);
    }
    if (chain)
        chain_release(store, chain);
}

/* Callbacks may append, and may forget callbacks that are still to come. */
static void deliver(void *arg)
{
    struct ft_store *store = arg;
    struct op *op;

    pthread_mutex_lock(&store->lock);
    store->delivering = store->done.first;
    list_init(&store->done);
    pthread_mutex_unlock(&store->lock);
    while ((op = store->delivering)) {
        settle(store, op);
        store->delivering = op->next;
        op_free(op);
    }
}

static void forget_in(struct ft_store *store, struct op *op, void *arg)
{
    for (; op; op = op->next)
        if (op->written && op->arg == arg)
            let_go(store, op);
}

/* The writer looks at no operation's callback, so it may be taken away while the operation is being written. */
void ft_store_forget(struct ft_store *store, void *arg)
{
    forget_in(store, store->staged.first, arg);
    forget_in(store, store->delivering, arg);
    pthread_mutex_lock(&store->lock);
    forget_in(store, store->queue.first, arg);
    forget_in(store, store->writing, arg);
    forget_in(store, store->done.first, arg);
    pthread_mutex_unlock(&store->lock);
}

/* ---- appending */

/* A block of `count` texts behind an operation, in one piece with it. */
static struct op *op_with_texts(enum op_kind kind, const char *const *texts, size_t count)
{
    size_t table = (count + 1) * sizeof(char *), len = table;
    struct op *op;
    char *at;

    for (size_t i = 0; i < count; i++)
        len += strlen(texts[i]) + 1;
    op = op_new(kind, len + sizeof(char *));
    op->texts = (const char **)(((uintptr_t)op->text + sizeof(char *) - 1) & ~(sizeof(char *) - 1));
    at = (char *)op->texts + table;
    for (size_t i = 0; i < count; i++) {
        op->texts[i] = at;
        at = stpcpy(at, texts[i]) + 1;
    }
    op->texts[count] = NULL;
    return op;
}

static void stage_blob(struct ft_store *store, const char *bytes, size_t len, char ret_digest[FT_DIGEST_HEX])
{
    struct op *op = op_new(OP_BLOB, len + FT_DIGEST_HEX);

    ft_sha256_hex(bytes, len, ret_digest);
    if (len)
        memcpy(op->text, bytes, len);
    memcpy(op->text + len, ret_digest, FT_DIGEST_HEX);
    op->digest = op->text + len;
    op->len = len;
    stage(store, op);
}

void ft_store_blob_put(struct ft_store *store, const char *bytes, size_t len, char ret_digest[65])
{
    stage_blob(store, bytes, len, ret_digest);
}

/* The event with each large member moved to the blobs; new reference. */
static json_t *without_large(struct ft_store *store, struct encoding *e, json_t *event)
{
    json_t *light = json_object(), *member;
    struct ft_buf text = FT_BUF_INIT(MAX_EVENT);
    char digest[FT_DIGEST_HEX];
    const char *key;

    personal_again(e);
    e->to = &text;
    json_object_foreach(event, key, member) {
        ft_buf_clear(&text);
        encode_personal(e, member);
        if (text.len <= INLINE_MAX) {
            json_object_set(light, key, member);
        } else if (!text.overflow) {
            stage_blob(store, text.data, text.len, digest);
            json_object_set_new(light, key, json_pack("{s:s}", "$blob", digest));
        } else {
            json_decref(light);
            light = NULL;
            break;
        }
    }
    ft_buf_done(&text);
    return light;
}

/* Into store->scratch, as it will be journalled; new personal values are left in e. */
static int encode_event(struct ft_store *store, struct encoding *e, json_t *event, struct ft_err *reterr)
{
    json_t *light;

    ft_buf_clear(&store->scratch);
    e->to = &store->scratch;
    personal_begin(e);
    encode_personal(e, event);
    if (store->scratch.len <= INLINE_MAX && !store->scratch.overflow)
        return 0;
    light = store->scratch.overflow ? NULL : without_large(store, e, event);
    ft_buf_done(&store->scratch);         /* one large event shall not hold its memory for ever */
    if (light) {
        personal_again(e);
        e->to = &store->scratch;
        encode_personal(e, light);
    }
    json_decref(light);
    return light ? 0 : ft_err_set(reterr, -EFBIG, "an event of type '%s' is over %u MiB", ft_json_str(event, "type"), MAX_EVENT >> 20);
}

/* Behind the run's row, which they belong to, and before the text that names them. */
static void stage_personal(struct ft_store *store, struct encoding *e)
{
    for (struct op *op = e->first, *next; op; op = next) {
        next = op->next;
        op->chain->queued++;
        stage(store, op);
    }
    e->first = NULL;
}

/* A run's first event names the newest seal: the run began after it. */
static void bind_to_seal(struct ft_store *store, json_t *event)
{
    char sealed[sizeof(store->sealed)];

    if (!store->started && !*store->sealed)
        read_sealed(store, store->sealed, sizeof(store->sealed));
    pthread_mutex_lock(&store->lock);
    memcpy(sealed, store->sealed, sizeof(sealed));
    pthread_mutex_unlock(&store->lock);
    if (*sealed)
        json_object_set_new(event, "seal", json_string(sealed));
}

/* Times of a run's events never go back; where the clock did, the event says by how much. */
static void set_time(struct ft_store *store, struct chain *chain, json_t *event)
{
    uint64_t now = ft_clock_wall_ms(ft_loop_clock(store->loop));

    if (now < chain->at_ms)
        json_object_set_new(event, "clock_back_ms", json_integer((json_int_t)(chain->at_ms - now)));
    chain->at_ms = ft_max(chain->at_ms, now);
    json_object_set_new(event, "at", json_integer((json_int_t)chain->at_ms));
}

static int append(struct ft_store *store, const char *run_id, json_t *event, struct op **ret, struct ft_err *reterr)
{
    struct encoding e = { .fields = store->personal_fields };
    struct chain *chain;
    struct op *op;
    int r;

    if (!ft_json_str(event, "type"))
        return ft_err_set(reterr, -EINVAL, "an event of run %s has no type", run_id);
    r = chain_get(store, run_id, &chain, reterr);
    if (r < 0)
        return r;
    if (chain->failed)
        return ft_err_set(reterr, chain->failed->code, "%s", chain->failed->text);
    if (!chain->known)
        return ft_err_set(reterr, -ENOENT, "there is no run %s in the store", run_id);
    json_object_set_new(event, "seq", json_integer((json_int_t)(chain->seq + 1)));
    set_time(store, chain, event);
    if (!chain->seq)
        bind_to_seal(store, event);
    e.chain = chain;
    r = encode_event(store, &e, event, reterr);
    stage_personal(store, &e);
    if (r < 0)
        return r;
    op = op_new(OP_EVENT, store->scratch.len);
    memcpy(op->text, store->scratch.data, store->scratch.len);
    op->chain = chain;
    op->seq = ++chain->seq;
    chain->rests = false;
    chain->queued++;
    *ret = op;
    return 0;
}

int ft_store_append(struct ft_store *store, const char *run_id, json_t *event, enum ft_durability durability,
                    void (*written)(void *arg, int code, const struct ft_err *err), void *arg, struct ft_err *reterr)
{
    struct op *op = NULL;
    int r = append(store, run_id, event, &op, reterr);

    json_decref(event);
    if (r < 0)
        return r;
    op->durability = durability;
    op->written = written;
    op->arg = arg;
    store->events++;
    store->unflushed = durability != FT_DURABLE;
    stage(store, op);
    return 0;
}

void ft_store_new_id(struct ft_store *store, char ret[9])
{
    do
        ft_random_hex(8, ret);
    while (chain_find(store, ret) || read_taken(store, ret) > 0);
    chain_add(store, ret);
}

bool store_is_over(const char *status)
{
    return ft_streq(status, "finished") || ft_streq(status, "failed") || ft_streq(status, "rolled_back") || ft_streq(status, "cancelled");
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

void ft_store_run_put(struct ft_store *store, const struct ft_run_info *info)
{
    struct ft_buf params = FT_BUF_INIT(MAX_EVENT), summary = FT_BUF_INIT(0);
    struct encoding e = { .to = &params, .whole = true, .fields = store->personal_fields };
    struct ft_err err = { 0 };
    struct chain *chain;
    const char *texts[RUN_FIELDS] = {
        [RUN_PLAYBOOK] = text_or_empty(info->playbook), [RUN_DIGEST] = text_or_empty(info->digest), [RUN_MODE] = text_or_empty(info->mode),
        [RUN_STATUS] = text_or_empty(info->status), [RUN_OUTCOME] = text_or_empty(info->outcome), [RUN_SUMMARY] = text_or_empty(info->summary),
        [RUN_OWNER] = info->owner ? info->owner : store_is_over(info->status) ? "" : owner_self(),
    };
    struct op *op;

    if (chain_get(store, info->id, &chain, &err) < 0) {
        ft_log(FT_LOG_ERROR, "run %s is not noted in the store: %s", text_or_empty(info->id), err.text);
        return;
    }
    e.chain = chain;
    personal_begin(&e);
    if (info->params)
        encode_personal(&e, info->params);
    texts[RUN_PARAMS] = info->params ? ft_buf_str(&params) : "{}";
    e.to = &summary;
    if (personal_add_text(&e, texts[RUN_SUMMARY], strlen(texts[RUN_SUMMARY]), true))
        texts[RUN_SUMMARY] = ft_buf_str(&summary);
    op = op_with_texts(OP_RUN, texts, RUN_FIELDS);
    ft_buf_done(&params);
    ft_buf_done(&summary);
    op->chain = chain;
    op->started_ms = info->started_ms;
    op->ended_ms = info->ended_ms;
    chain->known = true;
    chain->over = store_is_over(info->status);
    chain->queued++;
    stage(store, op);
    stage_personal(store, &e);
}

/* ---- tables of other files */

struct op *store_op(int (*own)(struct ft_store *store, struct op *op, struct ft_err *reterr), const char *const *texts, size_t count,
                    enum ft_durability durability)
{
    struct op *op = op_with_texts(OP_OWN, texts, count);

    op->own = own;
    op->durability = durability;
    return op;
}

void store_stage(struct ft_store *store, struct op *op)
{
    stage(store, op);
}

void store_stage_behind(struct ft_store *store, struct op *op, const char *run_id)
{
    op->chain = chain_find(store, run_id);
    if (op->chain)
        op->chain->queued++;
    stage(store, op);
}

/* ---- owners and locks */

static int waited_result(struct op *op, struct ft_err *reterr)
{
    if (!op->err)
        return 0;
    if (reterr)
        *reterr = *op->err;
    return op->err->code;
}

int store_stage_and_wait(struct ft_store *store, struct op *op, uint64_t *ret_seq, struct ft_err *reterr)
{
    int r;

    stage_and_wait(store, op);
    r = waited_result(op, reterr);
    if (ret_seq)
        *ret_seq = op->seq;
    op_free(op);
    return r;
}

static struct op *stage_claim(struct ft_store *store, const char *id)
{
    struct op *op = op_with_texts(OP_CLAIM, &id, 1);

    op->run = op->texts[0];
    op->durability = FT_COMMIT;
    stage_waited(store, op);
    return op;
}

/* What became of it; frees it. */
static int claimed(struct ft_store *store, struct op *op, struct ft_err *reterr)
{
    struct chain *chain = chain_find(store, op->run);
    int r = waited_result(op, reterr);

    op_free(op);
    if (r == 0 && chain && !chain->queued)
        chain_drop(store, chain);         /* another process may have written to it: it is read again */
    return r;
}

int ft_store_claim(struct ft_store *store, const char *id, struct ft_err *reterr)
{
    struct op *op;

    if (!id_ok(id))
        return ft_err_set(reterr, -EINVAL, "'%s' is no run's id", id ? id : "");
    op = stage_claim(store, id);
    wait_for(store, op);
    return claimed(store, op, reterr);
}

void ft_store_claim_all(struct ft_store *store, const char (*ids)[9], size_t count, bool *ret)
{
    struct op **ops = ft_calloc(count, sizeof(*ops));

    for (size_t i = 0; i < count; i++)
        ops[i] = stage_claim(store, ids[i]);
    if (count)
        wait_for(store, ops[count - 1]);      /* they are written in this order */
    for (size_t i = 0; i < count; i++)
        ret[i] = claimed(store, ops[i], NULL) == 0;
    free(ops);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once; the texts are borrowed. */
static size_t sorted_keys(const json_t *keys, const char **ret)
{
    size_t n = 0, i;
    json_t *key;

    json_array_foreach(keys, i, key)
        if (json_is_string(key))
            ret[n++] = json_string_value(key);
    qsort(ret, n, sizeof(*ret), by_text);
    for (i = 0; i + 1 < n;) {
        if (!ft_streq(ret[i], ret[i + 1])) {
            i++;
            continue;
        }
        memmove(ret + i, ret + i + 1, (n - i - 1) * sizeof(*ret));
        n--;
    }
    return n;
}

int ft_store_lock_within(struct ft_store *store, const char *run_id, const json_t *keys, const char *within, const char *reason, char **ret_holder,
                         struct ft_err *reterr)
{
    const char **texts = ft_calloc(json_array_size(keys) + 3, sizeof(*texts));
    size_t n = sorted_keys(keys, texts);
    struct op *op;
    int r;

    texts[n] = run_id;
    texts[n + 1] = text_or_empty(reason);
    texts[n + 2] = text_or_empty(within);
    op = op_with_texts(OP_LOCK, texts, n + 3);
    free(texts);
    op->run = op->texts[n];
    op->reason = op->texts[n + 1];
    op->within = op->texts[n + 2];
    op->texts[n] = NULL;
    op->started_ms = ft_clock_wall_ms(ft_loop_clock(store->loop));
    op->durability = FT_COMMIT;
    stage_and_wait(store, op);
    r = waited_result(op, reterr);
    if (ret_holder) {
        *ret_holder = op->holder;
        op->holder = NULL;
    }
    op_free(op);
    return r;
}

int ft_store_lock(struct ft_store *store, const char *run_id, const json_t *keys, const char *reason, char **ret_holder, struct ft_err *reterr)
{
    return ft_store_lock_within(store, run_id, keys, NULL, reason, ret_holder, reterr);
}

void ft_store_unlock_key(struct ft_store *store, const char *run_id, const char *key)
{
    const char *texts[] = { run_id, key };
    struct op *op = op_with_texts(OP_UNLOCK, texts, key ? 2 : 1);

    op->run = op->texts[0];
    op->reason = key ? op->texts[1] : NULL;
    op->started_ms = ft_clock_wall_ms(ft_loop_clock(store->loop));
    store_stage_behind(store, op, run_id);
}

void ft_store_unlock(struct ft_store *store, const char *run_id)
{
    ft_store_unlock_key(store, run_id, NULL);
}

/* ---- the store itself */

int ft_store_open(struct ft_loop *loop, const char *path, struct ft_store **ret, struct ft_err *reterr)
{
    struct ft_store *store = ft_calloc(1, sizeof(*store));
    int r = db_open(path, &store->db, &store->log, reterr);

    if (r < 0) {
        free(store);
        return r;
    }
    owner_self();                         /* computed here, read on both threads */
    store->loop = loop;
    store->path = ft_strdup(path);
    store->scratch = FT_BUF_INIT(MAX_EVENT);
    list_init(&store->staged);
    list_init(&store->queue);
    list_init(&store->done);
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->work, NULL);
    pthread_cond_init(&store->progress, NULL);
    store->wake = ft_wake_new(loop, deliver, store);
    *ret = store;
    return 0;
}

static void free_ops(struct ft_store *store, struct op *op)
{
    for (struct op *next; op; op = next) {
        next = op->next;
        let_go(store, op);
        if (op->err && op->chain && (op->kind == OP_EVENT || !op->chain->told)) {
            say_lost(op);
            op->chain->told = true;
        }
        op_free(op);
    }
}

/* The last flush is only for events: of a lock or a run's row that is lost with the power, the events say the truth. */
static void stop_writer(struct ft_store *store)
{
    struct op *barrier = op_new(OP_BARRIER, 0);

    barrier->durability = store->unflushed ? FT_DURABLE : FT_COMMIT;
    barrier->seals = true;
    if (store->started || store->staged.first)
        stage_and_wait(store, barrier);
    op_free(barrier);
    if (!store->started)
        return;
    pthread_mutex_lock(&store->lock);
    store->stop = true;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
}

struct ft_store *ft_store_close(struct ft_store *store)
{
    if (!store)
        return NULL;
    stop_writer(store);
    if (store->kicking)
        ft_loop_undefer(store->loop, kick, store);
    free_ops(store, store->done.first);
    for (size_t i = 0; i < store->bucket_count; i++) {
        for (struct chain *chain = store->buckets[i], *next; chain; chain = next) {
            next = chain->next;
            free(chain->failed);
            personal_free(chain->personal);
            free(chain);
        }
    }
    free(store->buckets);
    ft_wake_free(store->wake);
    read_close(store);
    sqlite3_close(store->db);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->work);
    pthread_cond_destroy(&store->progress);
    ft_buf_done(&store->scratch);
    explicit_bzero(&store->key, sizeof(store->key));
    free(store->key_file);
    json_decref(store->personal_fields);
    free(store->path);
    free(store);
    return NULL;
}

void ft_store_stats(const struct ft_store *store, struct ft_store_stats *ret)
{
    struct ft_store *unlocked = (struct ft_store *)store;      /* only its mutex */

    pthread_mutex_lock(&unlocked->lock);
    *ret = (struct ft_store_stats){ .events = store->events, .commits = store->commits, .flushes = store->flushes };
    pthread_mutex_unlock(&unlocked->lock);
}

void ft_store_set_personal(struct ft_store *store, const json_t *fields)
{
    json_decref(store->personal_fields);
    store->personal_fields = json_incref((json_t *)fields);
}

void ft_store_set_key(struct ft_store *store, const char *path)
{
    free(store->key_file);
    store->key_file = ft_strdup(path);
}

const char *ft_store_path(const struct ft_store *store)
{
    return store->path;
}

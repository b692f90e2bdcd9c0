/* fuzz_dns_answer.c: any bytes as what a name server answers. It is read to the end or given up; what is read are texts, and as many answers as records at most. */
#include <stdlib.h>
#include <string.h>
#include "../../plugins/net/dns.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct ft_host *host;

/* What dns.c needs besides, and no test of an answer calls. */
const char *net_param(struct ft_call *call, const char *key) { (void)call; return key; }
int net_timeout_ms(struct ft_call *call) { (void)call; return 0; }
double net_now_ms(void) { return 0; }
bool net_address(const char *text, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len) { (void)text; (void)port; (void)ret; (void)ret_len; return false; }
int net_connect(const struct sockaddr *address, socklen_t len, int type, int timeout_ms) { (void)address; (void)len; (void)type; (void)timeout_ms; return -1; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_job job;
    json_t *answers = json_array(), *records = json_array(), *text;
    bool readable;
    int rcode;
    size_t i;

    if (size < NS_HFIXEDSZ + 1 || size > MAX_REPLY) {
        json_decref(answers);
        json_decref(records);
        return 0;
    }
    job.type = types[data[0] % (sizeof(types) / sizeof(types[0]))].type;
    job.reply_len = (int)size - 1;
    memcpy(job.reply, data + 1, size - 1);
    read_answers(&job, answers, records, &rcode, &readable);
    if (json_array_size(answers) > json_array_size(records) || rcode < 0 || rcode > 15)
        abort();
    json_array_foreach(answers, i, text) {
        if (!json_is_string(text))
            abort();
    }
    json_decref(answers);
    json_decref(records);
    return 0;
}

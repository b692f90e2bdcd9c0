/* restd.c: a REST server on loopback that answers every GET with the same small object. Prints its port; ends at end of input. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

static const char body[] = "{\"status\":\"connected\",\"num_clients\":17,\"name\":\"AP-3F-12\","
    "\"rssi\":-61,\"uptime\":86400,\"radios\":[{\"band\":\"5\",\"util\":31}]}";

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_size,
                              void **state)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(sizeof(body) - 1, (void *)(size_t)body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result r;

    (void)cls; (void)url; (void)method; (void)version; (void)upload; (void)upload_size; (void)state;
    MHD_add_response_header(response, "Content-Type", "application/json");
    r = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return r;
}

int main(void)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, &answer, NULL, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;

    if (!info)
        return 1;
    printf("%d\n", info->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(daemon);
    return 0;
}

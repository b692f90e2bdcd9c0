/* fuzz_snmp_v3.c: any bytes as a message that came to the trap listener. What is read of it lies within the bounds of the standard, and within the message. */
#include <stdlib.h>
#include <string.h>
#include "../../plugins/snmp/v3header.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct v3_header header;

    if (!v3_header_read(data, size, &header))
        return 0;
    if (header.engine_len > V3_MAX_ENGINE || strlen(header.user) > V3_MAX_USER)
        abort();
    if (header.engine_len && !memmem(data, size, header.engine, header.engine_len))
        abort();
    if (!memmem(data, size, header.user, strlen(header.user)))
        abort();
    return 0;
}

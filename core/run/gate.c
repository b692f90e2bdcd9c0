/* gate.c: waiting for people's approval. */
#include "run/internal.h"

enum check gate_for_write(struct step_run *step, json_t *approval)
{
    json_decref(approval);
    step_fail(step, FT_DENIED, "a policy wants an approval first");
    return CHECK_FAILED;
}

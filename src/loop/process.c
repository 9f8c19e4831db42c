#include "loop/internal.h"
void process_left(uv_process_t *uv)
{
    uv_close((uv_handle_t *)uv, NULL);
}

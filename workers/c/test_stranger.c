/* A shared object that knows nothing of redgrid. */
int run(void *ctx);
int run(void *ctx)
{
    (void)ctx;
    return 0;
}

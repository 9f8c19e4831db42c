/* A shared object that was compiled for another version of function.h. */
int redgrid_abi(void);
int redgrid_abi(void)
{
    return 99;
}
int run(void *ctx);
int run(void *ctx)
{
    (void)ctx;
    return 0;
}

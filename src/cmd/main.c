#include <stdio.h>

int main(void)
{
    puts("redgrid " REDGRID_VERSION);
    return 0;
}

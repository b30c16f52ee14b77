/* witness.h: a witness of other logs, as a process of its own: reason-sidecar --witness CONFIG. It knows no database. */
#ifndef SIDECAR_WITNESS_WITNESS_H
#define SIDECAR_WITNESS_WITNESS_H

#include <stdbool.h>

/*
 * --witness CONFIG serves until SIGTERM or SIGINT; --witness --check CONFIG prints the witness' verifier key and the logs
 * that it knows. argv[0] is --witness. Returns the status to exit with.
 */
int witness_main(int argc, char **argv);

#endif

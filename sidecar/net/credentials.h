/* credentials.h: reading the credentials that requests to AWS and to stores of its kind are signed with. */
#ifndef SIDECAR_NET_CREDENTIALS_H
#define SIDECAR_NET_CREDENTIALS_H

#include "net/sigv4.h"

/*
 * Credentials from a file (aws_access_key_id = …, aws_secret_access_key = …, aws_session_token = …), read anew each
 * time so that a mounted secret may be replaced; or, without a file, from AWS_ACCESS_KEY_ID and its companions.
 */
bool sigv4_load_credentials(const char *path, struct sigv4_credentials *credentials);

#endif

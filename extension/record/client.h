/*
 * client.h
 *		Clients: who calls over HTTPS, by the certificate that the gateway has verified.
 */
#ifndef REASON_RECORD_CLIENT_H
#define REASON_RECORD_CLIENT_H

#include "postgres.h"

#include "utils/array.h"

#include "record/record.h"

/* What the gateway says of a certificate; a member is absent where the certificate has none. */
typedef struct ClientCertificate
{
	RecordText	common_name;
	RecordText	issuer;
	RecordText	uris;			/* subject alternative names, a blank between them */
} ClientCertificate;

/* In the memory context of the caller. */
typedef struct Client
{
	Datum		row;			/* of type reason.client */
	Oid			row_type;
	text	   *name;
	text	   *role;
	ArrayType  *divisions;		/* that it may see and, if it writes, write; {*} for all */
} Client;

/*
 * The enabled client that a certificate stands for: by its common name, with the URI if the client has
 * one; a certificate without a common name, or with two, by its URI alone, which must be
 * one client's.  Raises 28000 without a certificate, 42501 for a stranger.  Asks with the active snapshot.
 */
extern Client client_of_certificate(const ClientCertificate *certificate);

/*
 * Narrows the client to the division that the path of its request names; an absent one narrows nothing.
 * Raises 42501 unless the client has it, with the same words whether or not there is one of that name.
 */
extern void client_narrow(Client *client, RecordText division);

/* Raises 42501 unless its role allows the action: read, write, inspect, freeze. */
extern void client_require(const Client *client, RecordText action);

#endif							/* REASON_RECORD_CLIENT_H */

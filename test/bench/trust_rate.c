/* How many Ed25519 signatures over 32 bytes libsodium alone verifies in a second of processor time: trust_rate SECONDS */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

int
main(int count, char **arguments)
{
	unsigned char key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES], signature[crypto_sign_BYTES], message[32] = {1};
	double		seconds = count > 1 ? atof(arguments[1]) : 2;
	double		began;
	long		verified = 0;

	if (sodium_init() < 0)
		return 1;
	crypto_sign_keypair(key, secret);
	crypto_sign_detached(signature, NULL, message, sizeof(message), secret);
	for (began = now(); now() - began < seconds; verified++)
	{
		if (crypto_sign_verify_detached(signature, message, sizeof(message), key) != 0)
			return 1;
	}
	printf("%.0f\n", (double) verified / (now() - began));
	return 0;
}

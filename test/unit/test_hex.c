/*
 * test_hex.c
 *		Hexadecimal digits of any number of bytes, and every byte that is no digit, at every place.
 */
#include "check.h"

#include "core/hex.h"
#include "core/uuid_text.h"

#define MOST 70

int
main(void)
{
	uint8_t		bytes[MOST];
	uint8_t		back[MOST];
	char		digits[2 * MOST];
	char		expected[2 * MOST + 1];
	char		text[UUID_TEXT_LENGTH + 1];

	for (int i = 0; i < MOST; i++)
	{
		bytes[i] = (uint8_t) (i * 37 + 11);
		snprintf(expected + 2 * i, 3, "%02x", bytes[i]);
	}
	for (size_t count = 0; count <= MOST; count++)
	{
		memset(digits, 'x', sizeof(digits));
		hex_write(digits, bytes, count);
		CHECK(memcmp(digits, expected, 2 * count) == 0 && (count == MOST || digits[2 * count] == 'x'));
		memset(back, 0xEE, sizeof(back));
		CHECK(hex_read(back, digits, count) && memcmp(back, bytes, count) == 0 && (count == MOST || back[count] == 0xEE));
	}
	for (int c = 0; c < 256; c++)
	{
		bool		is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		for (int place = 0; place < 2 * 33; place++)
		{
			hex_write(digits, bytes, 33);
			digits[place] = (char) c;
			CHECK(hex_read(back, digits, 33) == is_digit);
		}
	}
	for (int i = 0; i < 256; i++)
	{
		uint8_t		one = (uint8_t) i;
		char		pair[3];

		snprintf(pair, sizeof(pair), "%02x", i);
		CHECK(hex_read(&one, pair, 1) && one == i);
	}

	uuid_write_text(text, bytes);
	CHECK_TEXT(text, strlen(text), "0b30557a-9fc4-e90e-3358-7da2c7ec1136");
	CHECK(uuid_read_text(text, UUID_TEXT_LENGTH, back) && memcmp(back, bytes, UUID_BYTES) == 0);
	CHECK(!uuid_read_text(text, UUID_TEXT_LENGTH - 1, back) && !uuid_read_text(NULL, UUID_TEXT_LENGTH, back));
	for (int place = 0; place < UUID_TEXT_LENGTH; place++)
	{
		char		was = text[place];

		text[place] = was == '-' ? '0' : '-';
		CHECK(!uuid_read_text(text, UUID_TEXT_LENGTH, back));
		text[place] = 'A';
		CHECK(!uuid_read_text(text, UUID_TEXT_LENGTH, back));
		text[place] = was;
	}
	return check_summary("hex");
}

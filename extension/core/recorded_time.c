/*
 * recorded_time.c
 *		Times in the one text form that records and documents hold: RFC 3339 in UTC, with microseconds.
 */
#include "core/recorded_time.h"

static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";

static int
number_at(const char *digits, int count)
{
	int			number = 0;

	for (int i = 0; i < count; i++)
		number = 10 * number + (digits[i] - '0');
	return number;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* Days from 1970-01-01 to the first of March of a year; counted from 400 years earlier, which the year -1 is not before. */
static int64_t
days_to_march(int year)
{
	year += 400;
	return (int64_t) 365 * year + year / 4 - year / 100 + year / 400 - 719468 - 146097;
}

bool
recorded_time_read(const char *text, size_t length, int64_t *seconds)
{
	int			year,
				month,
				day,
				hour,
				minute,
				second,
				shifted;

	if (length != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	}
	year = number_at(text, 4);
	month = number_at(text + 5, 2);
	day = number_at(text + 8, 2);
	hour = number_at(text + 11, 2);
	minute = number_at(text + 14, 2);
	second = number_at(text + 17, 2);
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	/* A year from March on ends with the leap day: then months have their days before them by one formula. */
	shifted = (month + 9) % 12;
	year -= month < 3;
	*seconds = (days_to_march(year) + (153 * shifted + 2) / 5 + day - 1) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

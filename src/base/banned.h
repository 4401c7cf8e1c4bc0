/*
 * Calls that this project does not make: the compiler refuses them and names what to use instead.
 * Unbounded copies, hidden static state, and integer parsers that take garbage for zero.
 */
#ifndef STIGMER_BASE_BANNED_H
#define STIGMER_BASE_BANNED_H

#include <stdio.h> /* declared first: the macros below must not meet their declarations */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(call, instead) call##_is_banned_use_##instead()

#undef strcpy
#define strcpy(...) BANNED(strcpy, str_or_buf)
#undef strcat
#define strcat(...) BANNED(strcat, buf_add)
#undef strncpy
#define strncpy(...) BANNED(strncpy, str_or_memcpy)
#undef strncat
#define strncat(...) BANNED(strncat, buf_add)
#undef sprintf
#define sprintf(...) BANNED(sprintf, snprintf_or_buf_addf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, vsnprintf)
#undef strtok
#define strtok(...) BANNED(strtok, str_cut)
#undef strerror
#define strerror(...) BANNED(strerror, strerror_r)
#undef atoi
#define atoi(...) BANNED(atoi, str_to_u64)
#undef atol
#define atol(...) BANNED(atol, str_to_u64)
#undef gmtime
#define gmtime(...) BANNED(gmtime, gmtime_r)
#undef localtime
#define localtime(...) BANNED(localtime, localtime_r)
#undef ctime
#define ctime(...) BANNED(ctime, clock_format_rfc3339)

#endif

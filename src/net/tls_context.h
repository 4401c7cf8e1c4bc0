/* Private to net: what tls.c (contexts) gives to tls_session.c. */
#ifndef STIGMER_NET_TLS_CONTEXT_H
#define STIGMER_NET_TLS_CONTEXT_H

#include "net/tls.h"

#include <openssl/ssl.h>

/* Ready for a handshake, no BIO yet; NULL when memory is out. */
SSL *tls_server_ssl(struct tls_server *t);
SSL *tls_client_ssl(struct tls_client *t, const char *host);
/* Text of the thread's last OpenSSL error, which it clears. Static storage. */
const char *tls_error_text(void);

#endif

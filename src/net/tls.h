/*
 * TLS 1.2 and 1.3 (OpenSSL) for HTTP/2.
 *
 * Model: a context (tls_server, tls_client) makes sessions; a session (struct tls) is one end of
 * one connection and knows no socket: ciphertext is put in with tls_input and comes out through
 * the emit function. ALPN is required on both ends and is always "h2" (RFC 9113 3.2).
 * Threads: tls_server may be shared; a session belongs to one thread.
 * Errors: INVALID_ARGUMENT for files that cannot be used (for whoever configures the server),
 * UNAVAILABLE for handshakes that fail.
 */
#ifndef STIGMER_NET_TLS_H
#define STIGMER_NET_TLS_H

#include "base/err.h"
#include "base/str.h"

struct tls_server;
/* Reads the certificate chain and the key (PEM). */
enum err tls_server_new(const char *cert_file, const char *key_file, struct tls_server **ret,
                        struct error *e);
/* Reads both files again; sessions begun from now on use them. On failure nothing changes. Any
 * thread. */
enum err tls_server_reload(struct tls_server *t, struct error *e);
/* Existing sessions live on. NULL is fine. */
void tls_server_free(struct tls_server *t);

struct tls_client;
/* ca_file: PEM with the trusted authorities; NULL = the system's. */
enum err tls_client_new(const char *ca_file, struct tls_client **ret, struct error *e);
void tls_client_free(struct tls_client *t);

struct tls;
enum err tls_accept(struct tls_server *t, struct tls **ret, struct error *e);
/* The server's certificate must be valid for host, a name or a numeric address. */
enum err tls_connect(struct tls_client *t, const char *host, struct tls **ret, struct error *e);
void tls_free(struct tls *t);

/* Where ciphertext goes. False = no room: the session breaks. */
typedef bool tls_emit_fn(void *ctx, str bytes);
void tls_set_output(struct tls *t, tls_emit_fn *emit, void *ctx);
/* Received ciphertext, borrowed: to be followed by tls_handshake or tls_read until they want more.
 */
void tls_input(struct tls *t, str bytes);
/* Goes on as far as the input allows. */
enum err tls_handshake(struct tls *t, bool *ret_done, struct error *e);
/* *ret_n = 0: needs more input, or *ret_end: the peer has closed. */
enum err tls_read(struct tls *t, char *to, size_t cap, size_t *ret_n, bool *ret_end,
                  struct error *e);
/* Encrypts all of it. */
enum err tls_write(struct tls *t, str plain, struct error *e);
/* Emits close_notify; reading goes on. */
void tls_shutdown(struct tls *t);

#endif

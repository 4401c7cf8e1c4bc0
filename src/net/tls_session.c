#include "base/macro.h"
#include "net/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

struct tls {
    SSL *ssl;
    str in; /* what is left of tls_input's bytes */
    tls_emit_fn *emit;
    void *emit_ctx;
};

/* --- a BIO over the session's input and emit function --- */

static int bio_read(BIO *b, char *to, size_t cap, size_t *ret_n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    *ret_n = MIN(cap, t->in.len);
    if (*ret_n == 0) {
        BIO_set_retry_read(b);
        return 0;
    }
    memcpy(to, t->in.p, *ret_n);
    t->in = str_skip(t->in, *ret_n);
    return 1;
}

static int bio_write(BIO *b, const char *from, size_t len, size_t *ret_n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (!t->emit(t->emit_ctx, str_of(from, len)))
        return 0;
    *ret_n = len;
    return 1;
}

static long bio_ctrl(BIO *b, int command, long number, void *p)
{
    (void)b, (void)number, (void)p;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void free_bio_method(void)
{
    BIO_meth_free(bio_method);
}

static void make_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stigmer");
    if (!m)
        return;
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    (void)atexit(free_bio_method);
    bio_method = m;
}

static BIO *bio_new(struct tls *t)
{
    pthread_once(&bio_once, make_bio_method);
    BIO *b = bio_method ? BIO_new(bio_method) : NULL;
    if (!b)
        return NULL;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return b;
}

/* --- sessions --- */

/* Takes ssl, also when it fails. */
static enum err session_new(SSL *ssl, struct tls **ret, struct error *e)
{
    struct tls *t = calloc(1, sizeof *t);
    BIO *b = t && ssl ? bio_new(t) : NULL;
    if (!b) {
        SSL_free(ssl);
        free(t);
        return FAIL_NOMEM(e);
    }
    SSL_set_bio(ssl, b, b);
    t->ssl = ssl;
    *ret = t;
    return ERR_OK;
}

enum err tls_accept(struct tls_server *t, struct tls **ret, struct error *e)
{
    return session_new(tls_server_ssl(t), ret, e);
}

enum err tls_connect(struct tls_client *t, const char *host, struct tls **ret, struct error *e)
{
    return session_new(tls_client_ssl(t, host), ret, e);
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

void tls_set_output(struct tls *t, tls_emit_fn *emit, void *ctx)
{
    t->emit = emit;
    t->emit_ctx = ctx;
}

void tls_input(struct tls *t, str bytes)
{
    t->in = bytes;
}

/* RFC 9113 3.2: without the agreement on h2 there is nothing to speak. */
static enum err check_alpn(const struct tls *t, struct error *e)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    if (!str_eq(str_of(name, len), STR("h2")))
        return FAIL(e, ERR_UNAVAILABLE, "tls.alpn", "the peer did not agree on HTTP/2 (ALPN h2)");
    return ERR_OK;
}

static enum err fail_handshake(const struct tls *t, struct error *e)
{
    long verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK) {
        ERR_clear_error();
        return FAIL(e, ERR_UNAVAILABLE, "tls.verify", "the server's certificate is refused: %s",
                    X509_verify_cert_error_string(verify));
    }
    return FAIL(e, ERR_UNAVAILABLE, "tls.handshake", "the TLS handshake failed: %s",
                tls_error_text());
}

enum err tls_handshake(struct tls *t, bool *ret_done, struct error *e)
{
    ERR_clear_error();
    int r = SSL_do_handshake(t->ssl);
    *ret_done = r == 1;
    if (r == 1)
        return check_alpn(t, e);
    if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ)
        return ERR_OK;
    return fail_handshake(t, e);
}

enum err tls_read(struct tls *t, char *to, size_t cap, size_t *ret_n, bool *ret_end,
                  struct error *e)
{
    *ret_n = 0;
    *ret_end = false;
    ERR_clear_error();
    int r = SSL_read_ex(t->ssl, to, cap, ret_n);
    if (r == 1)
        return ERR_OK;
    *ret_n = 0;
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return ERR_OK;
    case SSL_ERROR_ZERO_RETURN:
        *ret_end = true;
        return ERR_OK;
    default:
        return FAIL(e, ERR_UNAVAILABLE, "tls.read", "the TLS connection broke: %s",
                    tls_error_text());
    }
}

enum err tls_write(struct tls *t, str plain, struct error *e)
{
    while (plain.len) {
        size_t n;
        ERR_clear_error();
        if (SSL_write_ex(t->ssl, plain.p, plain.len, &n) != 1)
            return FAIL(e, ERR_UNAVAILABLE, "tls.write", "the TLS connection broke: %s",
                        tls_error_text());
        plain = str_skip(plain, n);
    }
    return ERR_OK;
}

void tls_shutdown(struct tls *t)
{
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

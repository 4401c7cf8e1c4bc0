#include "net/tls.h"

#include "base/macro.h"
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

/* RFC 9113 9.2.2: ephemeral key exchange and AEAD only. */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static const unsigned char alpn_h2[] = {2, 'h', '2'};

struct tls_server {
    char *cert_file, *key_file;
    pthread_mutex_t lock;
    SSL_CTX *ctx; /* under the lock */
};

struct tls_client {
    SSL_CTX *ctx;
};

const char *tls_error_text(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "no further detail";
}

/* --- contexts --- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl, (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, alpn_h2, sizeof alpn_h2, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Without this OpenSSL would ask for the pass phrase on the terminal. */
static int no_pass_phrase(char *to, int size, int rwflag, void *arg)
{
    (void)to, (void)size, (void)rwflag, (void)arg;
    return -1;
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);
    if (!c)
        return NULL;
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(c, no_pass_phrase);
    if (SSL_CTX_set_cipher_list(c, TLS12_CIPHERS) != 1) {
        SSL_CTX_free(c);
        return NULL;
    }
    return c;
}

static enum err load_files(SSL_CTX *c, const char *cert_file, const char *key_file, struct error *e)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(c, cert_file) != 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "tls.certificate",
                    "the TLS certificate file %s cannot be used: %s", cert_file, tls_error_text());
    if (SSL_CTX_use_PrivateKey_file(c, key_file, SSL_FILETYPE_PEM) != 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "tls.key",
                    "the TLS key file %s cannot be used: %s (it must be PEM, without a pass phrase "
                    "and belong to the certificate)",
                    key_file, tls_error_text());
    return ERR_OK;
}

static enum err server_context(const char *cert_file, const char *key_file, SSL_CTX **ret,
                               struct error *e)
{
    SSL_CTX *c = context_new(TLS_server_method());
    if (!c)
        return FAIL_NOMEM(e);
    enum err err = load_files(c, cert_file, key_file, e);
    if (err != ERR_OK) {
        SSL_CTX_free(c);
        return err;
    }
    SSL_CTX_set_alpn_select_cb(c, choose_alpn, NULL);
    /* Resumption by ticket only: a cache of sessions is memory that clients could fill. */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    *ret = c;
    return ERR_OK;
}

enum err tls_server_new(const char *cert_file, const char *key_file, struct tls_server **ret,
                        struct error *e)
{
    struct tls_server *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NOMEM(e);
    pthread_mutex_init(&t->lock, NULL);
    t->cert_file = str_dup_c(str_c(cert_file));
    t->key_file = str_dup_c(str_c(key_file));
    enum err err = t->cert_file && t->key_file ? tls_server_reload(t, e) : FAIL_NOMEM(e);
    if (err != ERR_OK) {
        tls_server_free(t);
        return err;
    }
    *ret = t;
    return ERR_OK;
}

enum err tls_server_reload(struct tls_server *t, struct error *e)
{
    SSL_CTX *fresh = NULL;
    TRY(server_context(t->cert_file, t->key_file, &fresh, e));
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = fresh;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return ERR_OK;
}

void tls_server_free(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    pthread_mutex_destroy(&t->lock);
    free(t->cert_file);
    free(t->key_file);
    free(t);
}

static enum err trust(SSL_CTX *c, const char *ca_file, struct error *e)
{
    ERR_clear_error();
    if (ca_file && SSL_CTX_load_verify_file(c, ca_file) != 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "tls.ca", "the CA file %s cannot be used: %s", ca_file,
                    tls_error_text());
    if (!ca_file && SSL_CTX_set_default_verify_paths(c) != 1)
        return FAIL(e, ERR_INVALID_ARGUMENT, "tls.ca",
                    "the system's certificate authorities cannot be read: %s", tls_error_text());
    return ERR_OK;
}

enum err tls_client_new(const char *ca_file, struct tls_client **ret, struct error *e)
{
    struct tls_client *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NOMEM(e);
    t->ctx = context_new(TLS_client_method());
    enum err err = t->ctx ? trust(t->ctx, ca_file, e) : FAIL_NOMEM(e);
    if (err != ERR_OK) {
        tls_client_free(t);
        return err;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    *ret = t;
    return ERR_OK;
}

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

/* --- what a session is made from --- */

SSL *tls_server_ssl(struct tls_server *t)
{
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx); /* holds a reference to the context */
    pthread_mutex_unlock(&t->lock);
    if (ssl)
        SSL_set_accept_state(ssl);
    return ssl;
}

/* RFC 6125: the name in the certificate; server name indication is for names only (RFC 6066 3). */
static bool expect_host(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

SSL *tls_client_ssl(struct tls_client *t, const char *host)
{
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl)
        return NULL;
    SSL_set_connect_state(ssl);
    if (!expect_host(ssl, host) || SSL_set_alpn_protos(ssl, alpn_h2, sizeof alpn_h2) != 0) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

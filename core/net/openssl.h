/* openssl.h: OpenSSL, loaded at the first TLS connection, as libcurl is. For net/ only. */
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "base/err.h"

#define FT_SSL_FUNCTIONS(X) \
    X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_load_verify_locations) X(SSL_CTX_set_default_verify_paths) \
    X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) X(SSL_CTX_check_private_key) X(SSL_CTX_set_default_passwd_cb) \
    X(SSL_new) X(SSL_free) X(SSL_ctrl) X(SSL_set_bio) X(SSL_set_connect_state) X(SSL_set_verify) X(SSL_get0_param) X(SSL_do_handshake) \
    X(SSL_read) X(SSL_write) X(SSL_shutdown) X(SSL_get_error) X(SSL_get_verify_result)
#define FT_CRYPTO_FUNCTIONS(X) \
    X(BIO_new) X(BIO_s_mem) X(BIO_read) X(BIO_write) X(BIO_ctrl_pending) X(X509_VERIFY_PARAM_set1_host) X(X509_VERIFY_PARAM_set1_ip_asc) \
    X(X509_VERIFY_PARAM_set_hostflags) X(X509_verify_cert_error_string) X(ERR_peek_error) X(ERR_clear_error) X(ERR_reason_error_string) \
    X(EVP_Digest) X(EVP_sha1) X(OpenSSL_version)

struct ft_openssl {
#define FT_OPENSSL_MEMBER(name) typeof(name) *name;
    FT_SSL_FUNCTIONS(FT_OPENSSL_MEMBER)
    FT_CRYPTO_FUNCTIONS(FT_OPENSSL_MEMBER)
#undef FT_OPENSSL_MEMBER
};
/* The same table for ever after the first success; NULL and a reason where the library is missing or too old. */
const struct ft_openssl *ft_openssl_load(struct ft_err *reterr);

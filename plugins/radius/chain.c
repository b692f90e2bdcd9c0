/* chain.c: the certificates that an EAP server showed: whose, by whom, for which names, until when. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "radius.h"

#define MAX_CERTIFICATES 16
#define MAX_NAMES 50

static json_t *text_of(BIO *bio)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    json_t *text = json_stringn(bytes ? bytes : "", len > 0 ? (size_t)(len > 1000 ? 1000 : len) : 0);

    BIO_free(bio);
    return text ? text : json_string("");
}

static json_t *whose(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());

    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    return text_of(bio);
}

static double time_of(const ASN1_TIME *time)
{
    struct tm tm = { 0 };

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (double)timegm(&tm) : 0;
}

/* The DNS names it is for; its common name where it has none. */
static json_t *names_of(const X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    json_t *names = json_array();

    for (int i = 0; i < sk_GENERAL_NAME_num(all) && json_array_size(names) < MAX_NAMES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        json_t *text = name->type == GEN_DNS ? json_stringn((const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName)) : NULL;

        if (text)
            json_array_append_new(names, text);
    }
    GENERAL_NAMES_free(all);
    if (!json_array_size(names)) {
        char cn[256];

        if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn)) > 0)
            json_array_append_new(names, json_string(cn));        /* no UTF-8: nothing is appended */
    }
    return names;
}

static json_t *serial_of(const X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(cert));
    return text_of(bio);
}

static json_t *fingerprint_of(const X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned len = 0;

    X509_digest(cert, EVP_sha256(), digest, &len);
    for (unsigned i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return json_string(hex);
}

static json_t *certificate(X509 *cert, double now_s)
{
    double until = time_of(X509_get0_notAfter(cert));
    bool ca = X509_check_ca(cert) > 0;

    return json_pack("{s:o, s:o, s:o, s:b, s:f, s:f, s:f, s:b, s:o, s:o}", "subject", whose(X509_get_subject_name(cert)),
        "issuer", whose(X509_get_issuer_name(cert)), "names", ca ? json_array() : names_of(cert), "ca", ca,
        "not_before", time_of(X509_get0_notBefore(cert)), "not_after", until, "days_left", (until - now_s) / 86400,
        "expired", now_s >= until, "serial", serial_of(cert), "sha256", fingerprint_of(cert));
}

/* eapol_test writes from the top down, once a certificate and again when it is asked again: each is given once, the server's own first. */
json_t *rad_chain(const char *pem, size_t len, double now_s)
{
    BIO *bio = len ? BIO_new_mem_buf(pem, len > INT32_MAX ? INT32_MAX : (int)len) : NULL;
    json_t *chain = json_array();
    X509 *cert;

    while (bio && json_array_size(chain) < MAX_CERTIFICATES && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        json_t *one = certificate(cert, now_s), *other;
        bool known = false;
        size_t i;

        X509_free(cert);
        json_array_foreach(chain, i, other)
            known = known || json_equal(json_object_get(one, "sha256"), json_object_get(other, "sha256"));
        if (known)
            json_decref(one);
        else
            json_array_insert_new(chain, 0, one);
    }
    BIO_free(bio);
    ERR_clear_error();
    return chain;
}

/* A passphrase for a key that asks for one; without it OpenSSL would ask the terminal. */
static int give_passphrase(char *to, int size, int writing, void *passphrase)
{
    size_t len = passphrase ? strlen(passphrase) : 0;
    (void)writing;

    if (!len || len > (size_t)size)
        return -1;
    memcpy(to, passphrase, len);
    return (int)len;
}

const char *rad_key_trouble(const char *key, size_t key_len, const char *passphrase, const char *cert, size_t cert_len)
{
    BIO *key_bio = BIO_new_mem_buf(key, (int)key_len), *cert_bio = BIO_new_mem_buf(cert, (int)cert_len);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key_bio, NULL, give_passphrase, (void *)passphrase);
    X509 *x509 = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    const char *trouble = NULL;

    if (!x509)
        trouble = "client_cert holds no certificate in PEM";
    else if (!pkey)
        trouble = "private_key holds no key in PEM, or key_password is wrong";
    else if (X509_check_private_key(x509, pkey) != 1)
        trouble = "private_key does not belong to client_cert";
    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    ERR_clear_error();
    return trouble;
}

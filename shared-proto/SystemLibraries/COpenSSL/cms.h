#pragma once
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

// What OpenSSL has as macros or variadic functions only; Swift calls these instead.
static inline EVP_PKEY *alfred_rsa_generate(size_t bits) { return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits); }

static inline int alfred_algorithm_is(const X509_ALGOR *algorithm, int nid) {
    return algorithm != NULL && OBJ_obj2nid(algorithm->algorithm) == nid;
}

// Whether the one and only recipient is named by key identifier and its content key is under RSAES-OAEP with SHA-256
// for the hash and for MGF1.
static inline int alfred_cms_recipient_is_oaep_sha256(CMS_ContentInfo *cms) {
    STACK_OF(CMS_RecipientInfo) *recipients = CMS_get0_RecipientInfos(cms);
    if (recipients == NULL || sk_CMS_RecipientInfo_num(recipients) != 1) return 0;
    CMS_RecipientInfo *recipient = sk_CMS_RecipientInfo_value(recipients, 0);
    ASN1_OCTET_STRING *identifier = NULL;
    X509_ALGOR *algorithm = NULL;
    if (CMS_RecipientInfo_type(recipient) != CMS_RECIPINFO_TRANS
        || CMS_RecipientInfo_ktri_get0_signer_id(recipient, &identifier, NULL, NULL) != 1 || identifier == NULL
        || CMS_RecipientInfo_ktri_get0_algs(recipient, NULL, NULL, &algorithm) != 1
        || !alfred_algorithm_is(algorithm, NID_rsaesOaep) || algorithm->parameter == NULL) return 0;
    RSA_OAEP_PARAMS *oaep = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_OAEP_PARAMS), algorithm->parameter);
    if (oaep == NULL) return 0;
    X509_ALGOR *mask = NULL;
    if (alfred_algorithm_is(oaep->maskGenFunc, NID_mgf1) && oaep->maskGenFunc->parameter != NULL)
        mask = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), oaep->maskGenFunc->parameter);
    int matches = alfred_algorithm_is(oaep->hashFunc, NID_sha256) && alfred_algorithm_is(mask, NID_sha256)
        && oaep->pSourceFunc == NULL;
    X509_ALGOR_free(mask);
    RSA_OAEP_PARAMS_free(oaep);
    return matches;
}

// NID of the cipher in a chain of BIOs.
static inline int alfred_bio_cipher(BIO *chain) {
    EVP_CIPHER_CTX *context = NULL;
    if (BIO_get_cipher_ctx(chain, &context) != 1 || context == NULL) return NID_undef;
    return EVP_CIPHER_get_nid(EVP_CIPHER_CTX_get0_cipher(context));
}

// Whether the cipher in the chain ended with good padding.
static inline int alfred_bio_cipher_succeeded(BIO *chain) { return BIO_get_cipher_status(chain) == 1; }

// The floor that rpc-bench is measured against: a TLS 1.3 ping-pong over loopback, two processes, nothing around it.
//
// Prints one line per load: name, messages in flight, round trips per second, p50 and p99 in microseconds.
// Usage: tls-floor [seconds per load]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BODY_BYTES = 1024, MAXIMUM_IN_FLIGHT = 64, MAXIMUM_SAMPLES = 4000000 };

static void fail(const char *what) {
    fprintf(stderr, "tls-floor: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void set_no_delay(int socket) {
    int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static SSL_CTX *make_context(const SSL_METHOD *method) {
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)) fail("no TLS 1.3");
    // One read call takes all the records that are there: kinder to the floor than the default of two per record.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_num_tickets(context, 0);
    return context;
}

static void use_own_certificate(SSL_CTX *context) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    if (!key || !certificate) fail("no key");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"floor", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    if (!X509_sign(certificate, key, EVP_sha256()) || SSL_CTX_use_certificate(context, certificate) != 1
        || SSL_CTX_use_PrivateKey(context, key) != 1)
        fail("no certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int read_all(SSL *tls, unsigned char *body) {
    for (int count = 0; count < BODY_BYTES;) {
        int piece = SSL_read(tls, body + count, BODY_BYTES - count);
        if (piece <= 0) return 0;
        count += piece;
    }
    return 1;
}

static void serve(int listening) {
    SSL_CTX *context = make_context(TLS_server_method());
    use_own_certificate(context);
    for (;;) {
        int socket = accept(listening, NULL, NULL);
        if (socket < 0) exit(0);
        set_no_delay(socket);
        SSL *tls = SSL_new(context);
        SSL_set_fd(tls, socket);
        unsigned char body[BODY_BYTES];
        if (SSL_accept(tls) == 1)
            while (read_all(tls, body) && SSL_write(tls, body, BODY_BYTES) == BODY_BYTES) continue;
        SSL_free(tls);
        close(socket);
    }
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void measure(const struct sockaddr_in *address, int in_flight, double seconds) {
    SSL_CTX *context = make_context(TLS_client_method());
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (const struct sockaddr *)address, sizeof *address) != 0) fail("cannot connect");
    set_no_delay(connection);
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, connection);
    if (SSL_connect(tls) != 1) fail("handshake failed");

    uint32_t *samples = malloc(sizeof(uint32_t) * MAXIMUM_SAMPLES);
    uint64_t started[MAXIMUM_IN_FLIGHT];
    unsigned char body[BODY_BYTES] = {1};
    size_t count = 0;
    uint64_t warm = now() + 300000000u, end = warm + (uint64_t)(seconds * 1e9), first = 0, last = 0;
    for (int index = 0; index < in_flight; index++) {
        started[index] = now();
        if (SSL_write(tls, body, BODY_BYTES) != BODY_BYTES) fail("cannot write");
    }
    for (int index = 0;; index = (index + 1) % in_flight) {
        if (!read_all(tls, body)) fail("cannot read");
        uint64_t time = now();
        if (time >= end || count == MAXIMUM_SAMPLES) break;
        if (time >= warm) {
            if (!first) first = time;
            last = time;
            samples[count++] = (uint32_t)(time - started[index]);
        }
        started[index] = time;
        if (SSL_write(tls, body, BODY_BYTES) != BODY_BYTES) fail("cannot write");
    }
    if (count < 2) fail("nothing measured");
    qsort(samples, count, sizeof *samples, compare);
    printf("tls-floor %d %.0f %.1f %.1f\n", in_flight, (double)(count - 1) / ((double)(last - first) / 1e9),
        samples[count / 2] / 1000.0, samples[count * 99 / 100] / 1000.0);
    fflush(stdout);
    free(samples);
    SSL_free(tls);
    SSL_CTX_free(context);
    close(connection);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 3;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&address, length) != 0 || listen(listening, 4) != 0
        || getsockname(listening, (struct sockaddr *)&address, &length) != 0)
        fail("cannot listen");
    signal(SIGPIPE, SIG_IGN);
    pid_t server = fork();
    if (server < 0) fail("cannot fork");
    if (server == 0) serve(listening);
    measure(&address, 1, seconds);
    measure(&address, MAXIMUM_IN_FLIGHT, seconds);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    return 0;
}

#pragma once
// No _GNU_SOURCE: with it the system's structs differ from those of Swift's Glibc module, which the compiler refuses.
#include <errno.h>
#include <semaphore.h>
#include <netdb.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// prctl is variadic; Swift calls this instead.
static inline int alfred_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

// open is variadic; Swift calls this instead.
static inline int alfred_open_for_reading(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }

// accept4 takes a transparent union, which Swift cannot write.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int alfred_accept(int listening) {
    return accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// The rest of <semaphore.h> needs _GNU_SOURCE.
extern int sem_clockwait(sem_t *, clockid_t, const struct timespec *);
static inline int alfred_semaphore_wait(sem_t *semaphore, const struct timespec *deadline) {
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, deadline);
}

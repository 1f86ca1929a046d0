#pragma once
// No _GNU_SOURCE: with it the system's structs differ from those of Swift's Glibc module, which the compiler refuses.
#include <errno.h>
#include <semaphore.h>
#include <netdb.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <link.h>
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
#include <sys/ioctl.h>
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

// The one call of the Nitro secure module's driver: _IOWR(0x0A, 0, 32 bytes).
static inline int alfred_open_device(const char *path) { return open(path, O_RDWR | O_CLOEXEC); }
static inline int alfred_nsm_call(
    int device, const void *request, unsigned long request_bytes, void *answer, unsigned long *answer_bytes) {
    struct {
        unsigned long long request, request_bytes, answer, answer_bytes;
    } raw = {(unsigned long long)request, request_bytes, (unsigned long long)answer, *answer_bytes};
    int status = ioctl(device, 0xC0200A00UL, &raw);
    *answer_bytes = raw.answer_bytes;
    return status;
}

// ioctl is variadic; RNDRESEEDCRNG: the kernel draws on what was written to its pool from now on.
static inline int alfred_reseed_random(int random) { return ioctl(random, 0x5207UL); }

// accept4 takes a transparent union, which Swift cannot write.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int alfred_accept(int listening) {
    return accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// struct ucred needs _GNU_SOURCE. Whether the other end of a Unix socket is this very process.
static inline int alfred_peer_is_self(int socket) {
    struct {
        pid_t pid;
        uid_t uid;
        gid_t gid;
    } peer;
    socklen_t length = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == getpid();
}

// The rest of <semaphore.h> needs _GNU_SOURCE.
extern int sem_clockwait(sem_t *, clockid_t, const struct timespec *);
static inline int alfred_semaphore_wait(sem_t *semaphore, const struct timespec *deadline) {
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, deadline);
}

// <link.h> declares these only under _GNU_SOURCE.
struct alfred_loaded_object {
    ElfW(Addr) base;
    const char *name;
    const ElfW(Phdr) *segments;
    ElfW(Half) count;
};
extern int dl_iterate_phdr(int (*)(struct alfred_loaded_object *, size_t, void *), void *);

// Gives back the resident pages of what is mapped from files and never written. What is needed again comes from the
// file again. MADV_DONTNEED_LOCKED (Linux 5.18, not in Debian 12's headers) does it in locked memory, too; an older
// kernel refuses, and nothing happens.
static inline int alfred_release_object(struct alfred_loaded_object *object, size_t size, void *context) {
    unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->count; i++) {
        const ElfW(Phdr) *segment = &object->segments[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        ElfW(Addr) start = object->base + segment->p_vaddr, end = start + segment->p_memsz;
        start &= ~(page - 1);
        madvise((void *)start, end - start, 24);
    }
    return 0;
}
static inline void alfred_release_file_pages(void) { dl_iterate_phdr(alfred_release_object, NULL); }

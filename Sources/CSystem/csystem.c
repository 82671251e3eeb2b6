#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

int csystem_errno(void) { return errno; }

int csystem_open(const char *path, int flags, int mode) { return open(path, flags, mode); }

void csystem_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

void csystem_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int csystem_signal_fd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int csystem_read_signal(int fd) {
  struct signalfd_siginfo info;
  ssize_t n = read(fd, &info, sizeof info);
  return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

struct csystem_watch {
  int descriptor;
  // What the last read brought, and what of it was not taken yet.
  char events[8192] __attribute__((aligned(8)));
  ssize_t count, at;
};

csystem_watch *csystem_watch_open(void) {
  csystem_watch *watch = calloc(1, sizeof *watch);
  if (!watch) return NULL;
  watch->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watch->descriptor >= 0) return watch;
  free(watch);
  return NULL;
}

void csystem_watch_close(csystem_watch *watch) {
  close(watch->descriptor);
  free(watch);
}

int csystem_watch_descriptor(const csystem_watch *watch) { return watch->descriptor; }

// A plain write is no signal: the file may be half written. A move into place is whole.
int csystem_watch_add(csystem_watch *watch, const char *directory) {
  return inotify_add_watch(watch->descriptor, directory, IN_MOVED_TO | IN_ONLYDIR);
}

void csystem_watch_remove(csystem_watch *watch, int directory) {
  inotify_rm_watch(watch->descriptor, directory);
}

int csystem_watch_next(csystem_watch *watch, int *directory, const char **name) {
  for (;;) {
    if (watch->at >= watch->count) {
      watch->at = 0;
      watch->count = read(watch->descriptor, watch->events, sizeof watch->events);
      if (watch->count <= 0) {
        watch->count = 0;
        return csystem_watch_none;
      }
    }
    const struct inotify_event *event = (const struct inotify_event *)(watch->events + watch->at);
    watch->at += (ssize_t)(sizeof *event + event->len);
    *directory = event->wd;
    *name = event->len > 0 ? event->name : "";
    if (event->mask & IN_Q_OVERFLOW) return csystem_watch_lost;
    if (event->mask & IN_IGNORED) return csystem_watch_gone;
    if (event->mask & IN_MOVED_TO) return csystem_watch_moved;
  }
}

void csystem_kernel_release(char *buffer, int size) {
  struct utsname names;
  if (uname(&names) != 0) strcpy(names.release, "unknown");
  snprintf(buffer, (size_t)size, "%s", names.release);
}

unsigned long csystem_raise_open_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  }
  return limit.rlim_cur;
}

void csystem_memory(unsigned long *allocated, unsigned long *heap, unsigned long *free_bytes) {
  struct mallinfo2 info = mallinfo2();
  *allocated = info.uordblks + info.hblkhd;
  *heap = info.arena + info.hblkhd;
  *free_bytes = info.fordblks;
}

long csystem_pipe(int ends[2], int capacity) {
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return -errno;
  // Refused past the user's share of pipe memory: the pipe stays as it is made.
  int size = fcntl(ends[1], F_SETPIPE_SZ, capacity);
  if (size < 0) size = fcntl(ends[1], F_GETPIPE_SZ);
  return size > 0 ? size : 4096;
}

long csystem_splice(int from, int to, unsigned long count) {
  ssize_t n = splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  return n >= 0 ? n : -errno;
}

int csystem_delivery(int fd, unsigned long *acknowledged) {
  struct tcp_info info;
  socklen_t size = sizeof info;
  memset(&info, 0, sizeof info);
  *acknowledged = 0;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  *acknowledged = info.tcpi_bytes_acked;
  return info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
}

void csystem_step_back(int niceness) {
  errno = 0;
  int own = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) setpriority(PRIO_PROCESS, 0, own + niceness);
}

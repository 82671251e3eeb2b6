// Ten thousand hosts that answer health checks: every address of 127.0.0.0/8 at one port.
//
//   hosts PORT
//
// All are well, until SIGUSR1: from then on one in twenty answers 503, others every five seconds, so that each second one
// in a hundred fails and as many come back. SIGUSR2: all are well again.
#include "../listening.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { descriptors_max = 65536, events_max = 256, share = 20, seconds = 5 };

static uint32_t hosts[descriptors_max];
static volatile sig_atomic_t flapping;

static const char well[] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
static const char ill[] = "HTTP/1.1 503 Ill\r\ncontent-length: 0\r\n\r\n";

static void begin(int signal) { flapping = signal == SIGUSR1; }

static int is_ill(uint32_t host) {
  if (!flapping) return 0;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  // Not all at the same moment.
  uint32_t tick = (uint32_t)now.tv_sec + host % seconds;
  return (host / seconds + tick / seconds) % share == 0;
}

// A check is one small packet, and so is its answer.
static void answer(int fd) {
  char request[4096];
  for (;;) {
    ssize_t n = recv(fd, request, sizeof request, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      close(fd);
      return;
    }
    if (n < 4 || memcmp(request + n - 4, "\r\n\r\n", 4) != 0) continue;
    if (is_ill(hosts[fd])) {
      send(fd, ill, sizeof ill - 1, MSG_NOSIGNAL);
    } else {
      send(fd, well, sizeof well - 1, MSG_NOSIGNAL);
    }
  }
}

static void accept_all(int epoll, int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    struct sockaddr_in local;
    socklen_t length = sizeof local;
    if (fd >= descriptors_max || getsockname(fd, (struct sockaddr *)&local, &length)) {
      close(fd);
      continue;
    }
    hosts[fd] = ntohl(local.sin_addr.s_addr) & 0xffffff;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    answer(fd);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: hosts PORT\n"), 2;
  signal(SIGUSR1, begin);
  signal(SIGUSR2, begin);
  int listener = listen_on(INADDR_ANY, argv[1]), epoll = epoll_with(listener);
  struct epoll_event events[events_max];
  for (;;) {
    int count = epoll_wait(epoll, events, events_max, -1);
    for (int index = 0; index < count; index++) {
      if (events[index].data.fd == listener) accept_all(epoll, listener);
      else answer(events[index].data.fd);
    }
  }
}

// What the servers of the benchmarks have in common: a listening socket that does not block, in an epoll.
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

// `address` in host order.
static int listen_on(uint32_t address, const char *port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(address)};
  if (bind(listener, (struct sockaddr *)&name, sizeof name)) die("bind");
  if (listen(listener, 8192)) die("listen");
  return listener;
}

static int epoll_with(int listener) {
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
  return epoll;
}

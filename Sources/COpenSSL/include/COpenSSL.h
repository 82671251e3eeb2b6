#pragma once
// A C face for libssl and libcrypto (3.0): opaque pointers and our own functions, no policy. The only place that
// includes <openssl/...>. What several functions share:
//
// - Nothing here reads or writes a socket; handshakes live on plain memory.
// - A library and all that is made of it belong to one thread. Stores and key rings are shared, as said there.
// - Functions that may fail answer NULL or 0 and leave the reason in the thread's error queue.
#include "COpenSSLLibrary.h"
#include "COpenSSLRecords.h"
#include "COpenSSLCertificates.h"
#include "COpenSSLContexts.h"
#include "COpenSSLHandshakes.h"

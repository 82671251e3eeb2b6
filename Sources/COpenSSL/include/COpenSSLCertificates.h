#pragma once
#include "COpenSSLLibrary.h"

/// One certificate, read.
typedef struct copenssl_certificate copenssl_certificate;
/// Certificates and revocation lists that chains are checked against. Shared by threads once it is made, and read only.
typedef struct copenssl_store copenssl_store;

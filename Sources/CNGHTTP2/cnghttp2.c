// SwiftPM wants one source file; everything is in the header.
#include "CNGHTTP2.h"

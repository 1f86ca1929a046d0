#include "contract.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char openapi[] = {
#embed "../../APIServer/openapi.yaml" suffix(, 0)
};

static const unsigned char docs[] = {
#embed "../../APIServer/docs.html" suffix(, 0)
};

const char *alfred_openapi_yaml(void) { return (const char *)openapi; }
const char *alfred_docs_html(void) { return (const char *)docs; }

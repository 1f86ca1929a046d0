#pragma once

// The contract and its page, from the files in host/APIServer, as text that ends in a zero byte. As array literals of
// Swift they took the compiler more than a minute.
const char *alfred_openapi_yaml(void);
const char *alfred_docs_html(void);

import Testing

@Suite struct PlaceholderEnclaveRuntimeTests {}

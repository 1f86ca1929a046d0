import Testing

@Suite struct PlaceholderEnclaveProtocolTests {}

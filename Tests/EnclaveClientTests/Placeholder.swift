import Testing

@Suite struct PlaceholderEnclaveClientTests {}

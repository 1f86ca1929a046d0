import Testing

@Suite struct PlaceholderAttestedSessionTests {}

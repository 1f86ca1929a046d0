import Testing

@Suite struct PlaceholderAttestationVerifierTests {}

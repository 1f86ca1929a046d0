import Testing

@Suite struct PlaceholderAttestationReplayTests {}

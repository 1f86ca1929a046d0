import Testing

@Suite struct PlaceholderEnclaveVaultTests {}

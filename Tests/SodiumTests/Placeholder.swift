import Testing

@Suite struct PlaceholderSodiumTests {}

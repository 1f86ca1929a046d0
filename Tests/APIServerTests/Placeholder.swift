import Testing

@Suite struct PlaceholderAPIServerTests {}

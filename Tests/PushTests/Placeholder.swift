import Testing

@Suite struct PlaceholderPushTests {}

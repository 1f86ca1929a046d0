import Testing

@Suite struct PlaceholderHostileHostTests {}

import Testing

@Suite struct PlaceholderHostStorageTests {}

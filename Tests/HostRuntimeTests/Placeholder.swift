import Testing

@Suite struct PlaceholderHostRuntimeTests {}
